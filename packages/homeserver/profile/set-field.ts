import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { deleteProfileField, requireProfileFits, setProfileField } from '@causeway/store/tables/profiles.ts'
import { putUserJob } from '@causeway/store/tables/user-jobs.ts'
import type { Homeserver } from '../homeserver.ts'
import { isShownField, MAX_LENGTH } from './field-name.ts'

type Deps = Pick<Homeserver, 'db' | 'random' | 'accounts'>

/** https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3profileuseridkeyname: under 64 KiB. */
const MAX_PROFILE_BYTES = 64 * 1024 - 1

/** A field as it is to be: undefined removes it. */
export interface FieldChange {
  readonly field: string
  readonly value: JsonValue | undefined
  /** Whether rooms are told of a new name or picture. */
  readonly propagate: boolean
}

/**
 * Sets or removes a field of a profile. Names and pictures reach the rooms afterwards, in the background; an
 * empty one, or null, removes it. Throws `M_PROFILE_TOO_LARGE` and `M_INVALID_PARAM`.
 */
export async function setField(hs: Deps, userId: UserId, change: FieldChange): Promise<void> {
  const { field } = change
  const value = isShownField(field) ? shownValue(field, change.value) : change.value
  if (field === 'm.tz' && value !== undefined && typeof value !== 'string')
    throw invalidParam('m.tz is the name of a time zone, such as Europe/Berlin')
  const steps: Step[] =
    value === undefined
      ? [deleteProfileField(userId, field)]
      : [requireProfileFits(userId, field, value, MAX_PROFILE_BYTES), setProfileField(userId, field, value)]
  const isShown = isShownField(field)
  if (isShown) steps.push(putUserJob(userId, 'directory', hs.random.token(8)))
  if (isShown && change.propagate) steps.push(putUserJob(userId, field, hs.random.token(8)))
  const result = await hs.db.commit({ entries: [], steps })
  if (!result.ok) {
    throw new MatrixError('M_PROFILE_TOO_LARGE', 'With this the profile would be larger than 64 KiB')
  }
  if (isShown) hs.accounts.jobs.wake(userId)
}

function shownValue(field: 'displayname' | 'avatar_url', value: JsonValue | undefined): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw invalidParam(`${field} must be a string`)
  if (value.length <= MAX_LENGTH[field]) return value
  throw invalidParam(`${field} has at most ${MAX_LENGTH[field]} characters`)
}
