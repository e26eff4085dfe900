// https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { FederationError, type FederationClient } from '../federation/federation-client.ts'
import { isShownField, MAX_LENGTH, type ShownField } from './field-name.ts'
import type { Profile } from './read-profile.ts'

/** Profiles of users of other servers, as their servers tell them. */
export interface RemoteProfiles {
  /** Asked for, or a minute old at most. @throws FederationError, at once where that was the answer just before */
  of(userId: UserId): Promise<Profile>
}

const MAX_AGE_MS = 60_000
/** That there is none, or no answer, is believed for a shorter time. */
const MAX_FAILURE_AGE_MS = 20_000
const TIMEOUT_MS = 10_000
const MAX_BYTES = 80 * 1024

interface Held {
  readonly until: number
  readonly profile: Profile | FederationError
  readonly bytes: number
}

/** Names and pictures that are no text are left out: clients, and events of ours, must not meet them. */
export function parseProfile(answer: JsonObject): Profile {
  const fields = Object.entries(answer).filter(
    ([field, value]) => value !== null && (!isShownField(field) || typeof value === 'string'),
  )
  return new Map(fields)
}

/** Costs a share of the memory budget. */
export function createRemoteProfiles({
  client,
  budget,
  clock,
}: {
  client: FederationClient
  budget: MemoryBudget
  clock: Clock
}): RemoteProfiles {
  const cache = budget.cache({
    name: 'remote_profiles',
    share: 0.005,
    weigh: (held: Held, userId: UserId) => 200 + 2 * userId.length + 2 * held.bytes,
  })
  const flights = createSingleFlight<UserId, Profile>()
  const ask = async (userId: UserId): Promise<Profile> => {
    const path = '/_matrix/federation/v1/query/profile'
    const query = [['user_id', userId]] as const
    const request = { method: 'GET', path, query, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES } as const
    return parseProfile(await client.request(serverNameOf(userId), request))
  }
  return {
    of(userId) {
      const held = cache.get(userId)
      if (held !== undefined && held.until > clock.monotonic()) {
        return held.profile instanceof FederationError
          ? Promise.reject(held.profile)
          : Promise.resolve(held.profile)
      }
      return flights.run(userId, async () => {
        try {
          const profile = await ask(userId)
          const bytes = JSON.stringify([...profile]).length
          cache.set(userId, { until: clock.monotonic() + MAX_AGE_MS, profile, bytes })
          return profile
        } catch (error) {
          if (!(error instanceof FederationError)) throw error
          cache.set(userId, { until: clock.monotonic() + MAX_FAILURE_AGE_MS, profile: error, bytes: 500 })
          throw error
        }
      })
    },
  }
}

/** A name or picture that may go into events of ours: as long as our own users' may be. */
export function shownText(field: ShownField, value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_LENGTH[field] ? value : undefined
}
