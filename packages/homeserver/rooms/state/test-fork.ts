import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { appendEvent } from '../append-event.ts'
import { createRoom } from '../create-room.ts'
import type { RoomEngine } from '../engine.ts'
import type { Extremity } from '../head.ts'
import { findHead } from '../load-head.ts'
import type { EventDraft } from '../room-write.ts'
import { plainRoom } from '../test-room.ts'
import { writeToRoom } from '../write-to-room.ts'

// Test support: a room with two large branches.

export interface Fork {
  readonly roomId: RoomId
  /** Roots of the state at the end of each branch. */
  readonly roots: readonly [number, number]
}

const PORTION = 500
const FOUNDER = '@founder:test' as UserId

/** Of a hundred state events that a branch has, by their place. */
function draftOf(at: number, branch: string): EventDraft {
  if (at % 10 === 9) {
    // Events of power, which are ordered by the auth graph.
    const stateKey = `@banned${at}:test`
    const content = { membership: 'ban', reason: branch }
    return { type: 'm.room.member', sender: FOUNDER, stateKey, content }
  }
  if (at % 10 === 8) {
    const content: JsonObject = { says: branch }
    return { type: 'org.example.note', sender: FOUNDER, stateKey: `note ${at}`, content }
  }
  const member = `@member${at}:test` as UserId
  const content = { membership: 'join', displayname: `${at} of ${branch}` }
  return { type: 'm.room.member', sender: member, stateKey: member, content }
}

async function appendBranch(
  engine: RoomEngine,
  roomId: RoomId,
  branch: string,
  size: number,
): Promise<Extremity> {
  for (let from = 0; from < size; from += PORTION) {
    await writeToRoom(engine, roomId, async (write) => {
      for (let at = from; at < Math.min(size, from + PORTION); at++) {
        await appendEvent(engine, write, draftOf(at, branch))
      }
      return { value: undefined }
    })
  }
  return (await findHead(engine, roomId))!.extremities[0]!
}

/** Makes the room end where it was. */
async function goBack(engine: RoomEngine, roomId: RoomId, end: Extremity): Promise<void> {
  await engine.queue.serial(roomId, async () => {
    const head = (await findHead(engine, roomId))!
    head.extremities = [end]
    head.stateRoot = end.root
    head.state.clear()
  })
}

/**
 * A room that parts into two branches, each with `size` state events: the same keys in both, and never the same event.
 * Members, notes, and bans, which are ordered by the auth graph.
 */
export async function makeFork(engine: RoomEngine, version: string, size: number): Promise<Fork> {
  const roomId = await createRoom(engine, plainRoom(FOUNDER, { rules: findRoomVersion(version)! }))
  const parting = (await engine.queue.serial(roomId, () => findHead(engine, roomId)))!.extremities[0]!
  const one = await appendBranch(engine, roomId, 'one', size)
  await goBack(engine, roomId, parting)
  const other = await appendBranch(engine, roomId, 'other', size)
  return { roomId, roots: [one.root, other.root] }
}
