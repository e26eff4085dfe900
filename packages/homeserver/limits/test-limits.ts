import { homeserverConfigSchema, rateLimitsOf, type HomeserverConfig } from '../config.ts'

/** Nothing is limited, in the words of the configuration. */
export const UNLIMITED = Object.fromEntries(
  Object.keys(homeserverConfigSchema.properties.rate_limits.properties).map((name) => [
    name,
    { per_second: 0, burst: 1 },
  ]),
) as HomeserverConfig['rate_limits']

/** The same in those of the limiter. */
export const NO_LIMITS = rateLimitsOf({ rate_limits: UNLIMITED })
