// https://spec.matrix.org/v1.19/client-server-api/#guest-access
import { createKeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import { listGuestRooms, listGuestsIn } from '@causeway/store/tables/guests.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { changeMembership } from '../rooms/membership.ts'
import { GUEST_ACCESS, letsGuestsIn } from './guest-access.ts'

/** Sees to it that guests leave rooms that let them in no longer. */
export interface GuestWatch extends AsyncDisposable {
  /** Looks at all rooms that guests are in: what changed while nobody looked. */
  start(): Promise<void>
  /** Resolves when all that is known to be done is done. */
  idle(): Promise<void>
}

interface Deps {
  readonly rooms: RoomEngine
  readonly bus: Bus
  readonly logger: Logger
}

/** Where there are no guests nothing is watched. */
export const NO_GUESTS: GuestWatch = {
  start: async () => undefined,
  idle: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
}

export function createGuestWatch({ rooms, bus, logger }: Deps): GuestWatch {
  const queue = createKeyedQueue<number>()
  let seen = rooms.log.head()
  let unsubscribe = (): void => undefined
  const look = (roomNid: number): void =>
    void queue
      .serial(roomNid, () => haveGuestsLeave(rooms, roomNid))
      .catch((error: unknown) => logger.error('guests could not be taken out of a room', { roomNid, error }))
  const sweep = async (): Promise<void> => (await listGuestRooms(rooms.db)).forEach(look)
  const follow = (): void => {
    const entries = rooms.log.ring.since(seen)
    seen = rooms.log.head()
    if (entries === 'fell-behind') {
      void sweep().catch((error: unknown) => logger.error('rooms of guests could not be read', { error }))
      return
    }
    for (const entry of entries) {
      if (entry.kind !== 'event') continue
      const { type, stateKey, roomNid, roomRoot, stateRoot } = entry.event
      // Where branches met, state may be another without an event that says so.
      if ((type === GUEST_ACCESS && stateKey === '') || roomRoot !== stateRoot) look(roomNid)
    }
  }
  return {
    async start() {
      unsubscribe = bus.subscribe(follow)
      await sweep()
    },
    idle: () => queue.idle(),
    async [Symbol.asyncDispose]() {
      unsubscribe()
      await queue.idle()
    },
  }
}

async function haveGuestsLeave(rooms: RoomEngine, roomNid: number): Promise<void> {
  const guests = await listGuestsIn(rooms.db, roomNid)
  if (guests.length === 0) return
  const room = await getRoomByNid(rooms, roomNid)
  if (await letsGuestsIn(rooms, room)) return
  for (const guest of guests as UserId[]) {
    const reason = 'Guests may not be in this room any more'
    await changeMembership(rooms, {
      roomId: room.roomId,
      action: 'leave',
      sender: guest,
      target: guest,
      reason,
    })
  }
}
