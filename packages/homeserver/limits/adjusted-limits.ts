import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Step } from '@causeway/store/db/database.ts'
import {
  countLimits,
  deleteLimit,
  listLimits,
  setLimit,
  type LimitKey,
} from '@causeway/store/tables/limits.ts'
import { rateLimitsOf } from '../config.ts'
import type { Homeserver } from '../homeserver.ts'
import type { PrincipalKind } from './actions.ts'
import type { OwnLimits, RateLimit, RateLimiter, RateLimits } from './limiter.ts'

/** All of them are in memory. */
const MAX_LIMITS = 10_000

/** The kind and principal of a limit that holds for everybody. */
export const EVERYBODY = { kind: '', principal: '' } as const

type Deps = Pick<Homeserver, 'limiter' | 'db' | 'config'>

/** What operators decided while an earlier process ran holds in this one too. */
export async function loadLimits({ limiter, db }: Omit<Deps, 'config'>): Promise<void> {
  for (const { perSecond, burst, ...key } of await listLimits(db)) apply(limiter, key, { perSecond, burst })
}

function apply(limiter: RateLimiter, { kind, principal, action }: LimitKey, limit: RateLimit): void {
  if (kind === '') {
    limiter.adjust({ [action]: limit } as Partial<RateLimits>)
    return
  }
  const before = limiter.ownLimits(kind as PrincipalKind, principal)
  limiter.adjustOne(kind as PrincipalKind, principal, { ...before, [action]: limit })
}

/** Sets a limit, at once and for good. Throws `M_RESOURCE_LIMIT_EXCEEDED` for one too many. */
export async function changeLimit(deps: Deps, key: LimitKey, limit: RateLimit): Promise<void> {
  if (key.kind !== '' && !isSet(deps.limiter, key) && (await countLimits(deps.db)) >= MAX_LIMITS) {
    throw new MatrixError(
      'M_RESOURCE_LIMIT_EXCEEDED',
      `There are ${MAX_LIMITS} limits of single users and servers, which is the most there may be; reset some`,
    )
  }
  await commit(deps, [setLimit({ ...key, ...limit })])
  apply(deps.limiter, key, limit)
}

/** Whether there is one of a single principal already. */
function isSet(limiter: RateLimiter, { kind, principal, action }: LimitKey): boolean {
  return Object.hasOwn(limiter.ownLimits(kind as PrincipalKind, principal), action)
}

/** What the configuration says holds again. */
export async function resetLimit(deps: Deps, { kind, principal, action }: LimitKey): Promise<void> {
  const { limiter, config } = deps
  await commit(deps, [deleteLimit({ kind, principal, action })])
  if (kind === '') {
    const name = action as keyof RateLimits
    limiter.adjust({ [name]: rateLimitsOf(config)[name] })
    return
  }
  const before: Record<string, RateLimit> = { ...limiter.ownLimits(kind as PrincipalKind, principal) }
  delete before[action]
  limiter.adjustOne(kind as PrincipalKind, principal, before as OwnLimits)
}

async function commit({ db }: Deps, steps: readonly Step[]): Promise<void> {
  await db.commit({ entries: [], steps })
}
