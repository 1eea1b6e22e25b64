// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: limits whose CPUs take hundreds and thousands of tokens at once, which
 * no virtual machine has the packets for. Time is a number here, and CPUs are
 * entries of an array: packets come at random instants to random CPUs.
 *
 * What limit.c says of itself is what is asked of it: the rate holds, and the
 * burst is exceeded by no more than the tokens that CPUs may hold. The measure
 * is one plain token bucket for all CPUs, which is asked for every packet.
 *
 * A module of its own that includes the limit: it needs nothing else of kraw.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/string.h>

/* A CPU's batch depends on how many there are. */
static unsigned int cpus;
#undef num_possible_cpus
#define num_possible_cpus() cpus
#include "limit.c"

#define CPUS_MAX	16
#define FINE		1024	/* parts of a nanosecond */
#define BURSTS		10	/* that many tokens are used up in a case */
#define BURST_LEAST	5
#define BURST_MOST	3000	/* so that it does not take too long */

/* Packets to come, and what they meet. */
struct load {
	struct rnd_state rnd;
	struct kraw_limit limit;
	struct limit_cpu cpu[CPUS_MAX];
	u64 now;
	u64 part;	/* of a nanosecond, 1/FINE */
	u64 passed;
	u64 limited;
	u64 missing;	/* from the plain bucket, 1/FINE ns */
	u64 exceeded;	/* packets that it would not have passed */
	u64 disagreed;	/* kraw_limit_allows() had said something else */
};

static const u32 rates[] = {
	1, 100, 511, 512, 5000, 1000000, 14880952, 1000000000
};

static const unsigned int counts[] = { 1, 2, CPUS_MAX };

static void load_init(struct load *load, u32 rate, u32 burst)
{
	int i;

	memset(load, 0, sizeof(*load));
	prandom_seed_state(&load->rnd, rate + cpus);
	set(&load->limit, rate, burst);
	for (i = 0; i < CPUS_MAX; i++)
		load->cpu[i].want = 1;
	load->now = NSEC_PER_SEC;
}

/* All tokens that CPUs may have. */
static u64 held(const struct load *load)
{
	return load->limit.batch > 1 ? cpus * load->limit.batch : 0;
}

static void packet(struct load *load)
{
	struct limit_cpu *cpu = &load->cpu[prandom_u32_state(&load->rnd) % cpus];
	u64 token = div_u64((u64)NSEC_PER_SEC * FINE, load->limit.rate);
	bool foreseen = allows(&load->limit, *cpu, load->now);
	bool passed = pass(&load->limit, cpu, load->now);

	load->disagreed += foreseen != passed;
	load->limited += !passed;
	if (!passed)
		return;
	load->passed++;
	load->missing += token;
	/* one more for what is lost in divisions */
	if (load->missing > (load->limit.burst + held(load) + 1) * (token + 1))
		load->exceeded++;
}

static void wait_for(struct load *load, u64 time)
{
	load->missing -= min(load->missing, time);
	load->part += time;
	load->now += load->part / FINE;
	load->part %= FINE;
}

/* Packets, @percent percent of what the rate allows. */
static void offer(struct load *load, u64 packets, u32 percent)
{
	u64 gap = div_u64((u64)NSEC_PER_SEC * FINE, load->limit.rate) *
		  100 / percent;

	while (packets--) {
		/* evenly between nothing and twice the gap */
		wait_for(load, mul_u64_u32_shr(2 * gap,
					       prandom_u32_state(&load->rnd),
					       32));
		packet(load);
	}
}

/* For each rate, number of CPUs and, in @percents, amount of packets. */
static void each(struct kunit *test, const u32 *percents, int number,
		 void (*func)(struct kunit *test, struct load *load, u32 percent))
{
	struct load *load = kunit_kzalloc(test, sizeof(*load), GFP_KERNEL);
	int i, j, k;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, load);
	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		for (j = 0; j < ARRAY_SIZE(counts); j++) {
			for (k = 0; k < number; k++) {
				cpus = counts[j];
				load_init(load, rates[i],
					  clamp_t(u32, rates[i] / 10,
						  BURST_LEAST, BURST_MOST));
				func(test, load, percents[k]);
			}
		}
	}
}

static void expect(struct kunit *test, const struct load *load, bool condition,
		   const char *text)
{
	const struct kraw_limit *limit = &load->limit;

	KUNIT_EXPECT_TRUE_MSG(test, condition, "%u/s burst %u, %u CPUs: %s",
			      limit->rate, limit->burst, cpus, text);
	if (!condition)
		kunit_info(test, "%llu passed, %llu limited, %llu exceeded, %llu disagreed",
			   load->passed, load->limited, load->exceeded,
			   load->disagreed);
}

static void rate_holds(struct kunit *test, struct load *load, u32 percent)
{
	u64 burst = load->limit.burst;
	u64 start, want;

	/* Empty it first: the rate is what comes after the burst. */
	offer(load, 3 * burst * percent / 100, percent);
	expect(test, load, load->passed >= burst, "the burst passes");
	start = load->now;
	load->passed = 0;
	offer(load, BURSTS * burst * percent / 100, percent);
	want = mul_u64_u32_div(load->now - start, load->limit.rate,
			       NSEC_PER_SEC);
	expect(test, load, load->limited, "there is a limit");
	expect(test, load, !load->exceeded, "never above the burst");
	expect(test, load, !load->disagreed, "foreseen");
	expect(test, load, load->passed + held(load) + 1 >= want - want / 20,
	       "the rate, within 5 %");
}

/* Twice and ten times what is allowed. */
static void the_rate_holds(struct kunit *test)
{
	static const u32 percents[] = { 200, 1000 };

	each(test, percents, ARRAY_SIZE(percents), rate_holds);
}

static void nothing_is_lost(struct kunit *test, struct load *load, u32 percent)
{
	/* by chance a few come together: a bucket of five is too small */
	set(&load->limit, load->limit.rate, max(load->limit.burst, 50U));
	offer(load, BURSTS * load->limit.burst, percent);
	expect(test, load, !load->limited, "nothing is limited");
	expect(test, load, !load->exceeded, "never above the burst");
	expect(test, load, !load->disagreed, "foreseen");
}

/* A tenth and half of what is allowed. */
static void below_the_rate_nothing_is_lost(struct kunit *test)
{
	static const u32 percents[] = { 10, 50 };

	each(test, percents, ARRAY_SIZE(percents), nothing_is_lost);
}

static void one_burst(struct kunit *test, struct load *load, u32 percent)
{
	u64 burst = load->limit.burst;
	int i;

	offer(load, BURSTS * burst, percent);
	/* four times, and four hundred times, what fills it */
	for (i = 4; i <= 400; i *= 100) {
		wait_for(load, i * load->limit.depth * FINE);
		load->passed = 0;
		load->limited = 0;
		while (load->limited < 4 * burst)
			packet(load);
		expect(test, load, load->passed <= burst, "one burst at most");
		expect(test, load, load->passed + load->limit.batch > burst,
		       "and not less");
	}
	expect(test, load, !load->exceeded, "never above the burst");
	expect(test, load, !load->disagreed, "foreseen");
}

/* What comes at one instant after a long silence gets one burst. */
static void a_silence_fills_it_once(struct kunit *test)
{
	static const u32 percents[] = { 50, 1000 };

	each(test, percents, ARRAY_SIZE(percents), one_burst);
}

static void batches(struct kunit *test)
{
	struct load *load = kunit_kzalloc(test, sizeof(*load), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, load);
	cpus = 2;
	load_init(load, 1000000000, 100000000);
	KUNIT_EXPECT_EQ(test, load->limit.batch, 1000000000 / 256);
	load_init(load, 1000000, 3000);
	KUNIT_EXPECT_EQ(test, load->limit.batch, 3000 / 4);
	load_init(load, 511, 4000000000);
	KUNIT_EXPECT_EQ(test, load->limit.batch, 1);
	load_init(load, 4000000000, 1);
	KUNIT_EXPECT_EQ(test, load->limit.batch, 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(batches),
	KUNIT_CASE(the_rate_holds),
	KUNIT_CASE(below_the_rate_nothing_is_lost),
	KUNIT_CASE(a_silence_fills_it_once),
	{}
};

static struct kunit_suite suite = {
	.name = "kraw_limit",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of kraw's limits");
MODULE_LICENSE("GPL");
