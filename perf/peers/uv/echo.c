// SPDX-License-Identifier: Apache-2.0
/* The echo server on libuv: what was read is written by uv_try_write(), from the same buffer. */
#include "service.h"

int main(int argc, char **argv)
{
	return service_main(argc, argv,
		&(struct service){ .conn_bytes = sizeof(struct conn), .on_read = conn_write });
}
