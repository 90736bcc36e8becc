// SPDX-License-Identifier: Apache-2.0
/*
 * lane.c: see lane.h.
 */
#include "lane.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "lane"

enum {
	PACKET_BYTES = 2048,
	HELD_MAX = 32,
	IPV4_HEAD = 20,
	IPV6_HEAD = 40,
	TCP_HEAD = 20,
	TCP_FLAGS = 13, /* where they stand */
	TCP_SUM = 16,
	FLAG_SYN = 0x02,
	FLAG_RST = 0x04,
	FLAG_ACK = 0x10,
};

/* Where things are in a packet; its addresses are of `bytes` each, the source first. */
struct packet {
	int family; /* 4 or 6 */
	int host;
	uint8_t protocol;
	uint8_t *source;
	size_t bytes;
	uint8_t *body;
	size_t body_len;
};

struct held {
	int64_t due; /* in ms; 0: this place is free */
	size_t len;
	uint8_t bytes[PACKET_BYTES];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool packet_read(uint8_t *bytes, size_t len, struct packet *ret)
{
	size_t head;

	if (len >= IPV4_HEAD && bytes[0] >> 4 == 4) {
		head = (size_t)(bytes[0] & 0xf) * 4;
		*ret = (struct packet){
			.family = 4, .source = bytes + 12, .bytes = 4, .protocol = bytes[9]
		};
	} else if (len >= IPV6_HEAD && bytes[0] >> 4 == 6) {
		head = IPV6_HEAD;
		*ret = (struct packet){
			.family = 6, .source = bytes + 8, .bytes = 16, .protocol = bytes[6]
		};
	} else {
		return false;
	}
	if (len < head)
		return false;
	ret->host = ret->source[2 * ret->bytes - 1];
	ret->body = bytes + head;
	ret->body_len = len - head;
	if (ret->protocol == IPPROTO_TCP)
		return ret->body_len >= TCP_HEAD && ret->host < LANE_HOSTS;
	return ret->protocol == IPPROTO_UDP && ret->host < LANE_HOSTS;
}

static bool is_asking(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP &&
		(p->body[TCP_FLAGS] & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN;
}

/* Exchanged addresses leave all sums as they are. */
static void turn_round(const struct packet *p)
{
	uint8_t source[16];

	memcpy(source, p->source, p->bytes);
	memcpy(p->source, p->source + p->bytes, p->bytes);
	memcpy(p->source + p->bytes, source, p->bytes);
}

static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	return sum;
}

/* Makes the request for a connection its refusal, as long as it was. */
static void refuse(const struct packet *p)
{
	uint8_t port[2], *tcp = p->body;
	uint32_t seq, sum = (uint32_t)p->protocol + (uint32_t)p->body_len;

	memcpy(port, tcp, 2);
	memcpy(tcp, tcp + 2, 2);
	memcpy(tcp + 2, port, 2);
	memcpy(&seq, tcp + 4, 4);
	seq = htonl(ntohl(seq) + 1);
	memset(tcp + 4, 0, 4);
	memcpy(tcp + 8, &seq, 4);
	tcp[TCP_FLAGS] = FLAG_RST | FLAG_ACK;
	memset(tcp + TCP_SUM, 0, 2);
	sum = sum_add(sum, p->source, 2 * p->bytes);
	sum = sum_add(sum, tcp, p->body_len);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	tcp[TCP_SUM] = (uint8_t)(~sum >> 8);
	tcp[TCP_SUM + 1] = (uint8_t)~sum;
}

/* Notes who is asked, the first time. */
static void order_note(struct lane *lane, const struct packet *p)
{
	char name[8];
	size_t len;

	(void)snprintf(name, sizeof name, "%d.%d", p->family, p->host);
	(void)pthread_mutex_lock(&lane->lock);
	len = strlen(lane->order);
	if (strstr(lane->order, name) == NULL)
		(void)snprintf(lane->order + len, sizeof lane->order - len, "%s%s",
			len > 0 ? " " : "", name);
	(void)pthread_mutex_unlock(&lane->lock);
}

static void hold(struct held held[HELD_MAX], const uint8_t *bytes, size_t len, int ms)
{
	for (int i = 0; i < HELD_MAX; i++) {
		if (held[i].due != 0)
			continue;
		held[i].due = now_ms() + ms;
		held[i].len = len;
		memcpy(held[i].bytes, bytes, len);
		return;
	}
}

static void take(struct lane *lane, struct held held[HELD_MAX])
{
	uint8_t bytes[PACKET_BYTES];
	ssize_t n = read(lane->tun, bytes, sizeof bytes);
	struct packet p;
	int rule;

	if (n <= 0 || !packet_read(bytes, (size_t)n, &p))
		return;
	if (is_asking(&p))
		order_note(lane, &p);
	rule = atomic_load(&lane->rules[p.family == 6][p.host]);
	if (rule == LANE_LOST || (rule == LANE_LOST_TCP && p.protocol == IPPROTO_TCP))
		return;
	turn_round(&p);
	if (rule == LANE_REFUSED && is_asking(&p))
		refuse(&p);
	if (rule > LANE_OPEN)
		hold(held, bytes, (size_t)n, rule);
	else
		(void)!write(lane->tun, bytes, (size_t)n);
}

/* Lets go what was held long enough; returns how long to wait for the next, in ms. */
static int let_go(struct lane *lane, struct held held[HELD_MAX])
{
	int64_t now = now_ms(), next = -1;

	for (int i = 0; i < HELD_MAX; i++) {
		if (held[i].due == 0)
			continue;
		if (held[i].due <= now) {
			(void)!write(lane->tun, held[i].bytes, held[i].len);
			held[i].due = 0;
		} else if (next < 0 || held[i].due - now < next) {
			next = held[i].due - now;
		}
	}
	return (int)next;
}

static void *turn(void *arg)
{
	static struct held held[HELD_MAX];
	struct lane *lane = arg;
	struct pollfd fds[] = {
		{ .fd = lane->tun, .events = POLLIN },
		{ .fd = lane->stop[0], .events = POLLIN },
	};

	while (poll(fds, 2, let_go(lane, held)) >= 0 && fds[1].revents == 0)
		if (fds[0].revents != 0)
			take(lane, held);
	return NULL;
}

static bool device_up(int sock, const char *name)
{
	struct ifreq req = { .ifr_flags = IFF_UP };

	(void)snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	return ioctl(sock, SIOCSIFFLAGS, &req) == 0;
}

static bool v4_set(int sock, unsigned long what, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct ifreq req = { .ifr_name = DEVICE };

	(void)inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(&req.ifr_addr, &in, sizeof in);
	return ioctl(sock, what, &req) == 0;
}

/* As linux/ipv6.h has it, which does not go together with netinet/in.h. */
struct v6_request {
	struct in6_addr addr;
	uint32_t prefix_bits;
	int device;
};

static bool v6_set(const char *text)
{
	int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct v6_request req = { .prefix_bits = 64, .device = (int)if_nametoindex(DEVICE) };
	bool is_set;

	(void)inet_pton(AF_INET6, text, &req.addr);
	is_set = sock >= 0 && ioctl(sock, SIOCSIFADDR, &req) == 0;
	if (sock >= 0)
		(void)close(sock);
	return is_set;
}

/* The kernel takes an address into use in its own time. */
static bool v6_wait(const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;

	(void)inet_pton(AF_INET6, text, &in6.sin6_addr);
	for (int i = 0; i < 5000 && sock >= 0; i++) {
		rc = bind(sock, (struct sockaddr *)&in6, sizeof in6);
		if (rc == 0)
			break;
		(void)usleep(1000);
	}
	if (sock >= 0)
		(void)close(sock);
	return rc == 0;
}

static const char *network_make(struct lane *lane)
{
	struct ifreq req = { .ifr_name = DEVICE, .ifr_flags = IFF_TUN | IFF_NO_PI };
	int sock;
	bool is_made;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return "no network namespace is to be had here";
	lane->tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (lane->tun < 0)
		return "there is no /dev/net/tun here";
	if (ioctl(lane->tun, TUNSETIFF, &req) < 0)
		return "/dev/net/tun makes no device here";
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	is_made = sock >= 0 && device_up(sock, "lo") && v4_set(sock, SIOCSIFADDR, LANE_HERE_V4) &&
		v4_set(sock, SIOCSIFNETMASK, "255.255.255.0") && device_up(sock, DEVICE);
	if (sock >= 0)
		(void)close(sock);
	if (!is_made)
		return "the network of the test cannot be set up here";
	return v6_set(LANE_HERE_V6) && v6_wait(LANE_HERE_V6) ? NULL : "there is no IPv6 here";
}

void lane_open(struct lane *lane)
{
	lane->tun = -1;
	lane->refused = network_make(lane);
	if (lane->refused != NULL)
		return;
	cr_assert_eq(pthread_mutex_init(&lane->lock, NULL), 0);
	cr_assert_eq(pipe2(lane->stop, O_CLOEXEC), 0);
	cr_assert_eq(pthread_create(&lane->thread, NULL, turn, lane), 0);
}

void lane_close(struct lane *lane)
{
	if (lane->refused == NULL) {
		(void)close(lane->stop[1]);
		cr_assert_eq(pthread_join(lane->thread, NULL), 0);
		(void)close(lane->stop[0]);
	}
	if (lane->tun >= 0)
		(void)close(lane->tun);
}

void lane_rule(struct lane *lane, int family, int host, int rule)
{
	atomic_store(&lane->rules[family == 6][host], rule);
}

void lane_order(struct lane *lane, char ret[LANE_ORDER_BYTES])
{
	(void)pthread_mutex_lock(&lane->lock);
	memcpy(ret, lane->order, LANE_ORDER_BYTES);
	(void)pthread_mutex_unlock(&lane->lock);
}
