import {
  deleteIdentityBinding,
  listIdentityBindings,
  type IdentityBinding,
} from '@causeway/store/tables/identity-bindings.ts'
import { listThreepids } from '@causeway/store/tables/threepids.ts'
import type { Homeserver } from '../homeserver.ts'
import { IdentityFailed, IdentityRefused } from './identity-servers.ts'

/** As clients are told: `success` where nothing was bound, too. */
export type UnbindResult = 'success' | 'no-support'

type Deps = Pick<Homeserver, 'db' | 'identity' | 'logger' | 'clock'>

/** So many are unbound at once, and no longer than this, whatever identity servers do. */
const AT_ONCE = 8
const MAX_MS = 20_000

/**
 * Takes back at an identity server that an address belongs to a user of ours, in the name of this server: no token of
 * the user is needed. Where that is done, nothing is remembered of it.
 * https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidunbind
 * @throws as `IdentityServers.request`
 */
export async function unbindAddress(
  { db, identity }: Pick<Deps, 'db' | 'identity'>,
  binding: IdentityBinding,
  signal?: AbortSignal,
): Promise<void> {
  const { userId, medium, address, idServer } = binding
  const body = { mxid: userId, threepid: { medium, address } }
  await identity.request(idServer, { method: 'POST', path: '/3pid/unbind', body, signal })
  await db.commit({ entries: [], steps: [deleteIdentityBinding(binding)] })
}

/**
 * Unbinds what can be, within some seconds; what could not is told to the log. Never throws for an identity server, and
 * goes on when the client goes away.
 */
export async function unbindAddresses(hs: Deps, bindings: readonly IdentityBinding[]): Promise<UnbindResult> {
  if (bindings.length === 0) return 'success'
  const stop = new AbortController()
  const timer = hs.clock.setTimeout(() => stop.abort(new IdentityFailed('there was no time')), MAX_MS)
  const next = bindings.values()
  let result: UnbindResult = 'success'
  const lane = async (): Promise<void> => {
    for (const binding of next) {
      const { userId, idServer: server } = binding
      try {
        if (!hs.identity.isAllowed(server)) throw new IdentityFailed('it is not allowed any more')
        await unbindAddress(hs, binding, stop.signal)
      } catch (error) {
        if (!(error instanceof IdentityRefused) && !(error instanceof IdentityFailed)) throw error
        result = 'no-support'
        hs.logger.warn('an address could not be unbound at an identity server', { userId, server, error })
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
  } finally {
    timer.cancel()
  }
  return result
}

/** Addresses of a user, and where each of them is published: what is remembered, and what a client names beside it. */
export async function bindingsOf(
  { db }: Pick<Deps, 'db'>,
  userId: string,
  {
    of,
    also,
  }: { readonly of?: { medium: string; address: string }; readonly also?: string | undefined } = {},
): Promise<IdentityBinding[]> {
  const known = (await listIdentityBindings(db, userId)).filter(
    (one) => of === undefined || (one.medium === of.medium && one.address === of.address),
  )
  if (also === undefined) return known
  const addresses = of === undefined ? await listThreepids(db, userId) : [of]
  const named = [...known, ...addresses].map(({ medium, address }) => ({
    userId,
    medium,
    address,
    idServer: also,
  }))
  const all = new Map([...known, ...named].map((one) => [JSON.stringify(Object.values(one)), one]))
  return [...all.values()]
}
