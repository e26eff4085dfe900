import type { Pdu } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { BEFORE_ALL, findEventsOfSender } from '@causeway/store/tables/events-of-sender.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { listRoomNidsOfUser } from '@causeway/store/tables/purged-rooms.ts'
import { eraseUserRows } from '../accounts/erase-user.ts'
import type { Homeserver } from '../homeserver.ts'
import { deleteMediaOf } from '../media/delete-media.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { redactRow, replaceInMemory } from '../rooms/redact-stored.ts'
import { pduOfRow, type RoomInfo } from '../rooms/stored-event.ts'
import type { JobKind } from './job.ts'

export const ERASE_USER = 'erase_user'
/** Events of a room that are looked at for one write. */
const STRETCH = 1_000

interface EraseProgress {
  readonly phase: 'rows' | 'uploads' | 'events'
  /** The room under way; all before it are done. */
  readonly roomNid: number
  /** In that room, everything up to here is done. */
  readonly eventNid: number
  readonly rooms: number
  readonly events: number
}

const BEGINNING: EraseProgress = { phase: 'rows', roomNid: 0, eventNid: BEFORE_ALL, rooms: 0, events: 0 }

type Deps = Pick<Homeserver, 'db' | 'log' | 'blobs' | 'media' | 'rooms'>

/**
 * Erases a user whose account has ended: what is kept of them beside events, their uploads, and what they said in
 * every room, which gets its redacted form. No redactions are sent: other servers decide about their copies.
 * https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate (`erase`)
 * @param deps read when the job runs: the record is not complete when its jobs are made
 */
export function eraseUserKind(deps: () => Deps): JobKind {
  return {
    name: ERASE_USER,
    async run(work) {
      const hs = deps()
      const userId = work.subject as UserId
      let progress: EraseProgress = { ...BEGINNING, ...(work.progress as Partial<EraseProgress>) }
      const save = async (next: Partial<EraseProgress>, steps: readonly Step[] = []): Promise<void> => {
        progress = { ...progress, ...next }
        await work.save({ ...progress }, steps)
      }
      if (progress.phase === 'rows') {
        await eraseUserRows(hs.db, userId, work.signal)
        work.signal.throwIfAborted()
        await save({ phase: 'uploads' })
      }
      if (progress.phase === 'uploads') {
        await deleteMediaOf(hs, userId)
        await save({ phase: 'events' })
      }
      await eraseEvents(hs, userId, () => progress, save)
      await work.save({ ...progress }, [], [{ kind: 'erasure', position: 0, userId }])
    },
  }
}

async function eraseEvents(
  { rooms: engine, db }: Deps,
  userId: UserId,
  progress: () => EraseProgress,
  save: (next: Partial<EraseProgress>, steps?: readonly Step[]) => Promise<void>,
): Promise<void> {
  for (;;) {
    const [roomNid] = await listRoomNidsOfUser(db, userId, progress().roomNid, 1)
    if (roomNid === undefined) return
    const room = await getRoomByNid(engine, roomNid)
    for (;;) {
      const { rows, last } = await findEventsOfSender(db, roomNid, userId, progress().eventNid, STRETCH)
      if (last === undefined) break
      const redacted = rows
        .filter((row) => isTheirs(room, row, userId))
        .map((row) => redactRow(room, row, engine.clock.now()))
      const steps = redacted.flatMap((one) => one.steps)
      try {
        await save({ eventNid: last, events: progress().events + redacted.length }, steps)
      } finally {
        // Also when the server is told to stop just then: the portion may have been written.
        await replaceInMemory(engine, room, redacted)
      }
    }
    await save({ roomNid: roomNid + 1, eventNid: BEFORE_ALL, rooms: progress().rooms + 1 })
  }
}

/**
 * Whether an event is something the user said, or shows of themselves: messages, and their own memberships, which
 * carry name and picture. Other state is the room's, not theirs; redactions still have to say what they remove.
 */
function isTheirs({ rules }: RoomInfo, row: EventRow, userId: UserId): boolean {
  if ((row.flags & EventFlag.redacted) !== 0) return false
  const pdu = pduOfRow(row)
  return pdu.sender === userId && (isOwnMembership(pdu) || isMessage(pdu, rules.redactionV11))
}

function isOwnMembership(pdu: Pdu): boolean {
  return pdu.type === 'm.room.member' && pdu.state_key === pdu.sender
}

function isMessage(pdu: Pdu, redactionKeepsTarget: boolean): boolean {
  return pdu.state_key === undefined && (pdu.type !== 'm.room.redaction' || redactionKeepsTarget)
}
