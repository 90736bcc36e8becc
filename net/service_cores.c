// SPDX-License-Identifier: Apache-2.0
/*
 * service_cores.c: a service on every core: listeners that are twins, and who serves each.
 */
#include <soon/assert.h>
#include <soon/cores.h>
#include <soon/service.h>

#include "balance.h"
#include "errtext.h"
#include "listener.h"

struct sharing {
	const soon_cores_service *service;
	soon_core *home; /* whose listener the service has */
	struct soon__twins twins;
	struct soon__balance balance; /* without seats unless it was asked for */
};

static int serve(const struct sharing *sharing, soon_listener *listener) SOON_SUSPENDS
{
	int rc;

	listener->seat = soon__balance_seat(&sharing->balance, soon_core_index(NULL));
	rc = sharing->service->serve(listener, sharing->service->arg);
	listener->seat = NULL;
	return rc;
}

static int serve_twin(struct sharing *sharing) SOON_SUSPENDS
{
	soon_listener *listener;
	int rc = soon__twin_make(&sharing->twins, &listener);

	if (rc < 0) {
		soon_report_file(SOON_REPORT_ERROR, rc,
			"core %u cannot listen as the others do: %s", soon_core_index(NULL),
			soon__error_text(rc));
		return rc;
	}
	rc = serve(sharing, listener);
	soon_listener_close(listener);
	return rc;
}

static int serve_here(struct sharing *sharing) SOON_SUSPENDS
{
	if (soon_core_self() != sharing->home)
		return serve_twin(sharing);
	return serve(sharing, sharing->service->listener);
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
	rc = soon__twins_init(&sharing.twins, service->listener);
	if (rc < 0 && rc != -ECANCELED)
		soon_report_file(SOON_REPORT_ERROR, rc,
			"the other cores cannot listen as core %u does: %s", soon_core_index(NULL),
			soon__error_text(rc));
	if (rc < 0)
		return rc;
	if (service->uneven_max > 0)
		rc = soon__balance_init(&sharing.balance, soon_core_count(), service->uneven_max);
	if (rc == 0)
		rc = soon_on_each_core(serve_here, &sharing);
	soon__balance_fini(&sharing.balance);
	soon__twins_fini(&sharing.twins);
	return rc;
}
