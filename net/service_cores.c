// SPDX-License-Identifier: Apache-2.0
/*
 * service_cores.c: a service on every core: listeners that are twins, and who serves each.
 */
#include <soon/assert.h>
#include <soon/cores.h>
#include <soon/service.h>

#include "errtext.h"
#include "listener.h"

struct sharing {
	const soon_cores_service *service;
	soon_core *home; /* whose listener the service has */
	struct soon__listener_twins twins;
};

static int serve_twin(const struct sharing *sharing) SOON_SUSPENDS
{
	soon_listener *listener;
	int rc = soon__listener_twin(&sharing->twins, &listener);

	if (rc < 0) {
		soon_report_file(SOON_REPORT_ERROR, rc,
			"core %u cannot listen as the others do: %s", soon_core_index(NULL),
			soon__error_text(rc));
		return rc;
	}
	rc = sharing->service->serve(listener, sharing->service->arg);
	soon_listener_close(listener);
	return rc;
}

static int serve_here(const struct sharing *sharing) SOON_SUSPENDS
{
	const soon_cores_service *service = sharing->service;

	if (soon_core_self() != sharing->home)
		return serve_twin(sharing);
	return service->serve(service->listener, service->arg);
}

int soon_serve_on_cores(const soon_cores_service *service)
{
	struct sharing sharing = { .service = service };
	int rc;

	SOON_ASSERT(service != NULL);
	SOON_ASSERT(service->listener != NULL);
	SOON_ASSERT(service->serve != NULL);
	if (soon_core_count() == 1)
		return service->serve(service->listener, service->arg);
	sharing.home = soon_core_self();
	rc = soon__listener_twins_init(&sharing.twins, service->listener);
	if (rc < 0)
		return rc;
	rc = soon_on_each_core(serve_here, &sharing);
	soon__listener_twins_fini(&sharing.twins);
	return rc;
}
