// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#create-or-modify-account
import { Type, type Static } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { localpartOf } from '@causeway/matrix/ids/user-id.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import { findUser, type UserRecord } from '@causeway/store/tables/users.ts'
import { setStanding } from '../accounts/administer.ts'
import { parseThirdPartyAddress, type ThirdPartyAddress } from '../addresses/third-party-address.ts'
import { changePassword } from '../accounts/change-password.ts'
import { deactivateAccount } from '../accounts/deactivate.ts'
import { MAX_PASSWORD_LENGTH, registerUser } from '../accounts/register-user.ts'
import { chooseUserId } from '../accounts/usernames.ts'
import type { Homeserver } from '../homeserver.ts'
import { HttpResponse, type Session } from '../http/endpoint.ts'
import { setField } from '../profile/set-field.ts'
import { defineAdminRequest } from './admin-request.ts'
import { changeThreepids } from './change-threepids.ts'
import { requireAccount, requireLocal, UserParams } from './local-account.ts'
import { viewAccount } from './user-view.ts'

const shownText = Type.Optional(Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()]))
const flag = Type.Optional(Type.Boolean())

const Body = Type.Object({
  password: Type.Optional(Type.String({ maxLength: MAX_PASSWORD_LENGTH })),
  logout_devices: flag,
  displayname: shownText,
  avatar_url: shownText,
  threepids: Type.Optional(
    Type.Array(
      Type.Object({ medium: Type.String({ maxLength: 64 }), address: Type.String({ maxLength: 1_024 }) }),
      { maxItems: 100 },
    ),
  ),
  external_ids: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 100 })),
  user_type: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
  admin: flag,
  deactivated: flag,
  locked: flag,
})
type Wanted = Static<typeof Body>

/** What cannot be had here is refused, rather than forgotten. */
function requirePossible({
  external_ids: external = [],
  user_type: type,
  locked,
  deactivated,
}: Wanted): void {
  if (external.length > 0) throw invalidParam('This server has no single sign-on: external_ids must be empty')
  if (type != null) throw invalidParam('Accounts have no types here: user_type must be null')
  if (locked === true && deactivated === true)
    throw invalidParam('An account cannot be deactivated and locked')
}

/** Throws `M_THREEPID_MEDIUM_NOT_SUPPORTED`, and `M_INVALID_PARAM` for what is no address. */
const addressesOf = (threepids: NonNullable<Wanted['threepids']>): ThirdPartyAddress[] =>
  threepids.map(({ medium, address }) => parseThirdPartyAddress(medium, address))

async function create(hs: Homeserver, userId: UserId, wanted: Wanted, ip: string): Promise<void> {
  if (wanted.deactivated === true) throw invalidParam(`There is no account ${userId} to be deactivated`)
  const chosen = await chooseUserId(hs, localpartOf(userId))
  if (chosen !== userId) throw invalidParam('A user name has small letters only')
  const addresses = addressesOf(wanted.threepids ?? [])
  const { password, displayname, admin } = wanted
  const displayName = displayname ?? localpartOf(userId)
  await registerUser(hs, { userId, password, isAdmin: admin ?? false, displayName, ip })
  if (typeof wanted.avatar_url === 'string') await setShown(hs, userId, 'avatar_url', wanted.avatar_url)
  await changeThreepids(hs, userId, addresses)
  if (wanted.locked === true) await setStanding(hs, userId, 'locked', true)
}

type Shown = 'displayname' | 'avatar_url'

function setShown(hs: Homeserver, userId: UserId, field: Shown, value: string | null): Promise<void> {
  return setField(hs, userId, { field, value, propagate: true })
}

/** Each part that is to be other than it is: tools send back the whole account with one thing changed. */
async function changesOf(
  hs: Homeserver,
  session: Session,
  user: UserRecord,
  wanted: Wanted,
): Promise<(() => Promise<unknown>)[]> {
  const userId = user.userId as UserId
  const profile = (await findProfiles(hs.db, [userId])).get(userId)
  const changes: (() => Promise<unknown>)[] = []
  for (const field of ['displayname', 'avatar_url'] as const) {
    const value = wanted[field]
    if (value === undefined || (value ?? '') === (profile?.get(field) ?? '')) continue
    changes.push(() => setShown(hs, userId, field, value))
  }
  const { threepids, password } = wanted
  if (threepids !== undefined && user.deactivatedTs === 0) {
    const addresses = addressesOf(threepids)
    changes.push(() => changeThreepids(hs, userId, addresses))
  }
  if (wanted.admin !== undefined && wanted.admin !== user.isAdmin) {
    requireOther(session, userId)
    changes.push(() => setStanding(hs, userId, 'admin', wanted.admin === true))
  }
  if (password !== undefined) {
    const keepDevices = wanted.logout_devices === false
    changes.push(() => changePassword(hs, userId, password, { keepDevices }))
  }
  if (wanted.locked !== undefined && wanted.locked !== user.isLocked) {
    requireOther(session, userId)
    changes.push(() => setStanding(hs, userId, 'locked', wanted.locked === true))
  }
  return changes
}

/** Who takes their own account from themselves cannot give it back. */
export function requireOther(session: Session, userId: UserId): void {
  if (session.userId === userId) throw forbidden('You cannot do this to your own account')
}

async function modify(hs: Homeserver, session: Session, user: UserRecord, wanted: Wanted): Promise<void> {
  const changes = await changesOf(hs, session, user, wanted)
  if (user.deactivatedTs !== 0) {
    if (changes.length === 0 && wanted.deactivated !== false) return
    throw invalidParam(`The account ${user.userId} has ended, and that is for good`)
  }
  if (wanted.deactivated === true) requireOther(session, user.userId as UserId)
  for (const change of changes) await change()
  if (wanted.deactivated === true) await deactivateAccount(hs, user.userId as UserId, false)
}

export const synapsePutUser = defineAdminRequest({
  operation: 'synapsePutUser',
  method: 'PUT',
  path: '/v2/users/:userId',
  params: UserParams,
  body: Body,
  run: async (hs, { session, params: { userId }, body, ip }) => {
    requireLocal(hs, userId)
    requirePossible(body)
    const user = await findUser(hs.db, userId)
    if (user === undefined) await create(hs, userId, body, ip)
    else await modify(hs, session, user, body)
    const view = await viewAccount(hs, await requireAccount(hs, userId))
    return new HttpResponse({ status: user === undefined ? 201 : 200, body: view })
  },
})
