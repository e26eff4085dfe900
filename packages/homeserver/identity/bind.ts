import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { listIdentityBindings, putIdentityBinding } from '@causeway/store/tables/identity-bindings.ts'
import type { Homeserver } from '../homeserver.ts'
import { IdentityFailed } from './identity-servers.ts'
import type { IdentityLogin } from './look-up-address.ts'
import { withIdentityServer } from './to-client-error.ts'

/** What a session at an identity server has confirmed. */
export interface BindRequest {
  readonly userId: UserId
  readonly login: IdentityLogin
  readonly sid: string
  readonly clientSecret: string
}

/** More than anybody has, and few enough that an account ends within seconds. */
const MAX_BINDINGS = 50

/**
 * Publishes at an identity server that a confirmed address belongs to a user of ours, and remembers where.
 * https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind
 * Throws what `withIdentityServer` throws, and `M_FORBIDDEN`.
 */
export async function bindAddress(
  hs: Pick<Homeserver, 'db' | 'clock' | 'identity'>,
  { userId, login, sid, clientSecret }: BindRequest,
  signal?: AbortSignal,
): Promise<void> {
  const { server, token } = login
  if ((await listIdentityBindings(hs.db, userId)).length >= MAX_BINDINGS)
    throw forbidden(`An account may publish ${MAX_BINDINGS} addresses; unbind one first`)
  const binding = await withIdentityServer(server, async () => {
    const body = { sid, client_secret: clientSecret, mxid: userId }
    const answer = await hs.identity.request(server, {
      method: 'POST',
      path: '/3pid/bind',
      token,
      body,
      signal,
    })
    const { medium, address, mxid } = answer
    const isBound =
      typeof medium === 'string' && typeof address === 'string' && mxid === userId && address.length <= 1024
    if (!isBound || medium.length > 255) throw new IdentityFailed(`${server} does not say what it bound`)
    return { userId, medium, address, idServer: server }
  })
  await hs.db.commit({ entries: [], steps: [putIdentityBinding(binding, hs.clock.now())] })
}
