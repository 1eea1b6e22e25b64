/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chance that can be repeated: splitmix64. What an episode, or a packet, gets is a
 * matter of its own number, so that it can be had without those before it.
 */
#ifndef KRAW_FUZZ_RNG_H
#define KRAW_FUZZ_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_wide(struct rng *rng)
{
	uint64_t x = rng->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline void rng_seed(struct rng *rng, uint64_t seed, uint64_t number,
			    uint64_t thread)
{
	rng->state = seed;
	rng->state = rng_wide(rng) + number;
	rng->state = rng_wide(rng) + thread;
}

static inline uint32_t rng_next(struct rng *rng)
{
	return (uint32_t)(rng_wide(rng) >> 32);
}

/* 0 to below end; 0 if end is 0 */
static inline uint32_t rng_below(struct rng *rng, uint32_t end)
{
	return (uint32_t)((uint64_t)rng_next(rng) * end >> 32);
}

/* true in one of so many cases */
static inline bool rng_one_in(struct rng *rng, uint32_t cases)
{
	return !rng_below(rng, cases);
}

#endif
