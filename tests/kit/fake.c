// SPDX-License-Identifier: Apache-2.0
#include <soon/assert.h>
#include <soon/fake.h>

#include <stdio.h>

int soon_fake_open(soon_fake_resource *r, intptr_t arg)
{
	if (r->args_count < SOON_FAKE_ARGS_KEPT)
		r->args[r->args_count] = arg;
	r->args_count++;
	if (r->open_rc >= 0)
		r->opened++;
	return r->open_rc;
}

int soon_fake_enter(soon_fake_resource *r, void **ret_value)
{
	bool is_scripted = r->fail_nth == 0 || r->entered + r->refused + 1 == r->fail_nth;
	int rc = is_scripted ? r->enter_rc : 0;

	if (r->enter_ns > 0) {
		int slept = soon_sleep(r->enter_ns);

		if (slept < 0)
			rc = slept;
	}
	if (rc < 0) {
		r->refused++;
		return rc;
	}
	r->entered++;
	r->inside++;
	if (r->inside > r->inside_max)
		r->inside_max = r->inside;
	if (ret_value)
		*ret_value = r->value;
	return rc;
}

int soon_fake_exit(soon_fake_resource *r)
{
	SOON_ASSERT(r->inside > 0);
	r->inside--;
	r->exited++;
	return r->exit_rc;
}

void soon_fake_close(soon_fake_resource *r)
{
	SOON_ASSERT(r->closed < r->opened);
	r->closed++;
}

const char *soon_fake_unbalanced(const soon_fake_resource *r)
{
	static char text[256];

	if (r->opened == r->closed && r->inside == 0)
		return NULL;
	(void)snprintf(text, sizeof text,
		"%s is not balanced: opened %u times and closed %u, entered %u times and left %u",
		r->name ? r->name : "the resource", r->opened, r->closed, r->entered, r->exited);
	return text;
}
