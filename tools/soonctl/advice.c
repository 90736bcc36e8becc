// SPDX-License-Identifier: Apache-2.0
/* What to change, as commands and lines to copy. */
#include "soonctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With fewer descriptors a service soon has none left for a connection. */
#define NOFILE_ENOUGH 1024

static const struct fix docker = { "Docker",
	"docker run --security-opt seccomp=soon-seccomp.json IMAGE\n"
	"# in a compose file, below the service:\n"
	"security_opt: [ \"seccomp:./soon-seccomp.json\" ]\n" };

static const struct fix podman = { "Podman",
	"podman run --security-opt seccomp=/etc/containers/soon-seccomp.json IMAGE\n" };

static const struct fix kubernetes = { "Kubernetes",
	"# on each node: /var/lib/kubelet/seccomp/soon-seccomp.json; in the pod's spec:\n"
	"securityContext:\n"
	"  seccompProfile:\n"
	"    type: Localhost\n"
	"    localhostProfile: soon-seccomp.json\n" };

static const struct fix systemd = { "systemd",
	"# systemctl edit UNIT\n"
	"[Service]\n"
	"SystemCallFilter=@aio\n" };

static const struct fix sysctl = { "the host",
	"sysctl -w kernel.io_uring_disabled=0\n"
	"echo kernel.io_uring_disabled=0 > /etc/sysctl.d/60-io-uring.conf\n" };

static const struct fix sysctl_group = { "the host, for one group only",
	"# as kernel.io_uring_disabled is 1: members of this group may; GID is its number\n"
	"sysctl -w kernel.io_uring_group=GID\n"
	"usermod -a -G GROUP USER\n" };

static const struct fix kernel = { "the kernel",
	"# built without io_uring, or too old: Linux 6.1 or later, CONFIG_IO_URING=y\n"
	"# gVisor: runsc --iouring\n" };

static const struct fix module = { "a security module",
	"# neither the sysctl nor a filter refuses: look for what does\n"
	"journalctl -k --grep='avc|apparmor|io_uring'\n" };

static const struct fix killed = { "the environment",
	"# until the filter allows io_uring, since it kills for trying:\n"
	"SOON_IO=epoll\n" };

static const struct fix chosen = { "the environment",
	"# io_uring works here; SOON_IO asks for something else:\n"
	"unset SOON_IO\n" };

static const struct fix nofile = { "the limit on open files",
	"ulimit -n 65536                           # a shell\n"
	"docker run --ulimit nofile=65536:65536    # Docker, Podman\n"
	"LimitNOFILE=65536                         # systemd, [Service]\n" };

static const struct fix memlock = { "the limit on locked memory",
	"ulimit -l unlimited                 # a shell\n"
	"docker run --ulimit memlock=-1      # Docker, Podman; or raise --memory\n"
	"LimitMEMLOCK=infinity               # systemd, [Service]\n" };

struct list {
	struct fix *fixes;
	unsigned count;
};

static void add(struct list *list, const struct fix *fix)
{
	if (list->count < FIXES_MAX)
		list->fixes[list->count++] = *fix;
}

/* Where we are comes first. Nobody can see from inside what is around a container: all are told. */
static void add_filters(struct list *list, enum box box)
{
	static const struct {
		enum box box;
		const struct fix *fix;
	} places[] = {
		{ BOX_DOCKER, &docker },
		{ BOX_PODMAN, &podman },
		{ BOX_KUBERNETES, &kubernetes },
		{ BOX_SYSTEMD, &systemd },
	};

	for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++)
		if (places[i].box == box)
			add(list, places[i].fix);
	for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++)
		if (places[i].box != box)
			add(list, places[i].fix);
}

/* 1 refuses who is neither in the group nor an administrator, 2 everybody. */
static bool is_sysctl(const struct facts *facts, const struct trial *trial)
{
	return trial->setup_rc == -EPERM &&
		(facts->uring_disabled == 2 ||
			(facts->uring_disabled == 1 && !facts->in_uring_group));
}

static void add_refusal(struct list *list, const struct facts *facts, const struct trial *trial)
{
	if (trial->killed_by != 0)
		add(list, &killed);
	if (is_sysctl(facts, trial)) {
		add(list, &sysctl);
		if (facts->uring_disabled == 1)
			add(list, &sysctl_group);
	} else if (facts->seccomp_mode > 0 || trial->killed_by != 0) {
		add_filters(list, facts->box);
	} else if (trial->setup_rc == -ENOSYS || trial->setup_rc == -EINVAL) {
		add(list, &kernel);
	} else {
		add(list, &module);
	}
}

static void add_failure(
	struct list *list, const struct facts *facts, const struct trial *trial, int rc)
{
	switch (-rc) {
	case 0:
		break;
	case EMFILE:
	case ENFILE:
		add(list, &nofile);
		break;
	case ENOMEM:
		add(list, &memlock);
		break;
	default:
		if (trial->killed_by != 0 || trial->setup_rc < 0)
			add_refusal(list, facts, trial);
		else
			add(list, &kernel); /* rings can be made, and do not do enough */
	}
}

unsigned advise(const struct facts *facts, const struct trial *trial, struct fix *ret_fixes)
{
	struct list list = { .fixes = ret_fixes };
	const char *text = getenv("SOON_IO");
	int rc = trial->setup_rc < 0 ? trial->setup_rc : trial->rc;

	if (trial->killed_by != 0)
		rc = -EPERM;
	if (rc == 0 && trial->has_run)
		rc = trial->run_rc == -EMFILE || trial->run_rc == -ENOMEM ? trial->run_rc : 0;
	add_failure(&list, facts, trial, rc);
	if (rc == 0 && trial->backend != SOON_IO_URING && text != NULL && *text != '\0')
		add(&list, &chosen);
	else if (rc == 0 && trial->backend != SOON_IO_URING)
		add(&list, &kernel);
	if (rc != -EMFILE && facts->nofile.rlim_cur < NOFILE_ENOUGH)
		add(&list, &nofile);
	return list.count;
}
