// https://spec.matrix.org/v1.19/client-server-api/#server-administration
import { Type, type Static } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findUser, type UserRecord } from '@causeway/store/tables/users.ts'
import { setStanding } from '../accounts/administer.ts'
import { whoIs } from '../accounts/who-is.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { v1, v3 } from './paths.ts'
import { userIdText } from './schemas.ts'

const Params = Type.Object({ userId: userIdText })

/** An account of this server that is in use. Throws `M_INVALID_PARAM` for another server's, `M_NOT_FOUND`. */
async function requireAccount(hs: Homeserver, userId: UserId): Promise<UserRecord> {
  if (serverNameOf(userId) !== hs.serverName)
    throw invalidParam(`${userId} has no account here, but on ${serverNameOf(userId)}`)
  const user = await findUser(hs.db, userId)
  if (user === undefined || user.deactivatedTs !== 0) throw notFound(`There is no account ${userId} in use`)
  return user
}

/** Administrators are not shut out by each other, nor by themselves: that is done on the server's machine. */
async function changeStanding(
  hs: Homeserver,
  session: Session,
  userId: UserId,
  [standing, value]: readonly ['locked' | 'suspended', boolean],
): Promise<void> {
  const user = await requireAccount(hs, userId)
  if (userId === session.userId) throw forbidden('You cannot do this to your own account')
  if (user.isAdmin) throw forbidden(`${userId} is an administrator, too`)
  await setStanding(hs, userId, standing, value)
}

export const getAdminSuspendUser = defineEndpoint({
  operation: 'getAdminSuspendUser',
  method: 'GET',
  ...v1('/admin/suspend/:userId', '/uk.timedout.msc4323/admin/suspend/:userId'),
  auth: 'admin',
  rateLimit: 'admin',
  params: Params,
  run: async (hs, { params }) => ({ suspended: (await requireAccount(hs, params.userId)).isSuspended }),
})

const Suspension = Type.Object({ suspended: Type.Boolean() })

export const setAdminSuspendUser = defineEndpoint({
  operation: 'setAdminSuspendUser',
  method: 'PUT',
  ...v1('/admin/suspend/:userId', '/uk.timedout.msc4323/admin/suspend/:userId'),
  auth: 'admin',
  rateLimit: 'admin',
  params: Params,
  body: Suspension,
  run: async (hs, { session, params, body }): Promise<Static<typeof Suspension>> => {
    await changeStanding(hs, session, params.userId, ['suspended', body.suspended])
    return { suspended: body.suspended }
  },
})

export const getAdminLockUser = defineEndpoint({
  operation: 'getAdminLockUser',
  method: 'GET',
  ...v1('/admin/lock/:userId', '/uk.timedout.msc4323/admin/lock/:userId'),
  auth: 'admin',
  rateLimit: 'admin',
  params: Params,
  run: async (hs, { params }) => ({ locked: (await requireAccount(hs, params.userId)).isLocked }),
})

const Lock = Type.Object({ locked: Type.Boolean() })

export const setAdminLockUser = defineEndpoint({
  operation: 'setAdminLockUser',
  method: 'PUT',
  ...v1('/admin/lock/:userId', '/uk.timedout.msc4323/admin/lock/:userId'),
  auth: 'admin',
  rateLimit: 'admin',
  params: Params,
  body: Lock,
  run: async (hs, { session, params, body }): Promise<Static<typeof Lock>> => {
    await changeStanding(hs, session, params.userId, ['locked', body.locked])
    return { locked: body.locked }
  },
})

/** One's own devices, or for administrators anybody's: whence and when each was used last. */
export const getWhoIs = defineEndpoint({
  operation: 'getWhoIs',
  method: 'GET',
  ...v3('/admin/whois/:userId'),
  auth: 'user',
  rateLimit: 'admin',
  params: Params,
  run: async (hs, { session, params }) => {
    const { userId } = params
    if (!session.isAdmin && userId !== session.userId)
      throw forbidden('Only administrators may ask for others')
    await requireAccount(hs, userId)
    return whoIs(hs, userId)
  },
})
