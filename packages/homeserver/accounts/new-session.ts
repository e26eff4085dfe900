import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { forgetDehydration } from '@causeway/store/tables/dehydrated-devices.ts'
import { insertDevice } from '@causeway/store/tables/devices.ts'
import {
  deleteTokens,
  insertAccessToken,
  insertRefreshToken,
  type NewAccessToken,
} from '@causeway/store/tables/tokens.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Homeserver } from '../homeserver.ts'

/** Lifetime of access tokens that can be refreshed. Others live until they are logged out. */
export const ACCESS_TOKEN_MS = 60 * 60_000

/** A login as it was asked for. */
export interface Login {
  readonly userId: UserId
  /** Of a device to be used again; absent: a new device. */
  readonly deviceId: DeviceId | undefined
  /** Name of a new device. */
  readonly displayName: string | undefined
  /** Whether the client can refresh tokens, and gets one that expires. */
  readonly refreshable: boolean
  /** When an access token that cannot be refreshed ends, milliseconds; 0 or absent: never. */
  readonly expiresTs?: number
  readonly ip: string
}

/** What a login writes, and what its client is told once that is durable. */
export interface NewSession {
  readonly steps: readonly Step[]
  readonly deviceId: DeviceId
  readonly answer: JsonObject
}

type Deps = Pick<Homeserver, 'clock' | 'random'>

/** 256 bits of chance behind a mark by which tools that look for leaked secrets know it. */
export const newToken = (random: Random, kind: 'access' | 'refresh'): string =>
  `cw${kind[0]}_${random.token(43)}`

/** A number for an access token's row that no other token ever had. */
function newTokenNid(random: Random): number {
  return Buffer.from(random.bytes(6)).readUIntBE(0, 6)
}

/** An access token of its own number, to be stored by its hash. */
export function makeAccessToken(
  { clock, random }: Deps,
  owner: Pick<NewAccessToken, 'userId' | 'deviceId' | 'unconfirmed'>,
  refreshable: boolean,
  until = 0,
): { readonly token: string; readonly row: NewAccessToken } {
  const token = newToken(random, 'access')
  const expiresTs = refreshable ? clock.now() + ACCESS_TOKEN_MS : until
  return { token, row: { ...owner, nid: newTokenNid(random), tokenHash: sha256(token), expiresTs } }
}

/**
 * Prepares a login: the device is made or used again, and earlier tokens of it end.
 * https://spec.matrix.org/v1.19/client-server-api/#relationship-between-access-tokens-and-devices
 */
export function prepareSession(deps: Deps, login: Login): NewSession {
  const { clock, random } = deps
  const { userId, refreshable, ip } = login
  const deviceId = login.deviceId ?? (random.token(10).toUpperCase() as DeviceId)
  const now = clock.now()
  const access = makeAccessToken(deps, { userId, deviceId, unconfirmed: '' }, refreshable, login.expiresTs)
  const refresh = newToken(random, 'refresh')
  const displayName = login.displayName ?? ''
  return {
    deviceId,
    steps: [
      ...deleteTokens(userId, deviceId),
      // Whoever logs in on it can't leave it to be rehydrated.
      forgetDehydration(userId, deviceId),
      insertDevice({ userId, deviceId, displayName, createdTs: now, lastSeenTs: now, lastSeenIp: ip }),
      insertAccessToken(access.row),
      ...(refreshable ? [insertRefreshToken({ tokenHash: sha256(refresh), userId, deviceId }, now)] : []),
    ],
    answer: {
      user_id: userId,
      access_token: access.token,
      device_id: deviceId,
      ...(refreshable ? { refresh_token: refresh, expires_in_ms: ACCESS_TOKEN_MS } : {}),
    },
  }
}
