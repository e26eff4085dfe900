import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { deleteToDevice, listToDevice } from '@causeway/store/tables/to-device.ts'
import type { Homeserver } from '../../../homeserver.ts'
import type { SlidingContext } from '../context.ts'
import type { ToDeviceRequest } from '../request.ts'
import type { ExtensionResult } from './extension.ts'

/** Most messages that one answer hands out; the others come with the next ones. */
const MAX_MESSAGES = 100

/** How far a device has got; the letter says that messages came with it, which giving it back acknowledges. */
interface Since {
  readonly position: number
  readonly acknowledges: boolean
  /** More were waiting. */
  readonly isShort: boolean
}

const FORM = /^(\d{1,16})([am]?)_([A-Za-z0-9]{1,32})$/
const START: Since = { position: 0, acknowledges: false, isShort: true }

/** A token of another log (a restored backup) is none: the device gets all that is there. */
function parseSince(text: string | undefined, epoch: string): Since {
  if (text === undefined) return START
  const match = FORM.exec(text)
  const position = Number(match?.[1])
  if (match === null || !Number.isSafeInteger(position))
    throw invalidParam('extensions.to_device.since is no next_batch that this server has returned')
  if (match[3] !== epoch) return START
  return { position, acknowledges: match[2] !== '', isShort: match[2] === 'm' }
}

/** Removes what the token given back acknowledges: its being given back is the proof that the answer arrived. */
export async function acknowledgeToDevice(
  hs: Pick<Homeserver, 'db' | 'epochs'>,
  userId: UserId,
  deviceId: DeviceId,
  asked: ToDeviceRequest,
): Promise<void> {
  const since = parseSince(asked.since, hs.epochs.log)
  if (!since.acknowledges) return
  await hs.db.commit({ entries: [], steps: [deleteToDevice(userId, deviceId, since.position)] })
}

/**
 * What other devices sent to this one, in the order of arrival. Messages are kept until the device gives back the token
 * that came with them, on whichever connection. No query while there are none.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/3885
 */
export async function readToDevice(ctx: SlidingContext, asked: ToDeviceRequest): Promise<ExtensionResult> {
  const { hs, session, deviceId, now } = ctx
  const { userId } = session
  const since = parseSince(asked.since, hs.epochs.log)
  const limit = Math.min(asked.limit, MAX_MESSAGES)
  const range = { after: since.position, upTo: now.position, limit: limit + 1 }
  const mayHave = since.isShort || hs.log.changes.to_device.mayHaveChanged(userId, since.position)
  const found = mayHave && limit > 0 ? await listToDevice(hs.db, userId, deviceId, range) : []
  const messages = found.slice(0, limit)
  const isShort = found.length > messages.length || (limit === 0 && mayHave)
  const last = messages.at(-1)?.position ?? (limit === 0 ? since.position : now.position)
  const letter = isShort ? 'm' : messages.length === 0 ? '' : 'a'
  const next = `${isShort ? last : Math.max(last, now.position)}${letter}_${hs.epochs.log}`
  const events = messages.map(({ json }) => json).join(',')
  return { text: `{"next_batch":"${next}","events":[${events}]}`, isNews: messages.length > 0 }
}
