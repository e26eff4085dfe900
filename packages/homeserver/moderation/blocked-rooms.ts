import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { findRoomBlock } from '@causeway/store/tables/blocked-rooms.ts'
import type { Homeserver } from '../homeserver.ts'

/** Throws `M_FORBIDDEN` for a room that administrators have blocked: nobody of this server comes into it. */
export async function requireUnblocked({ db }: Pick<Homeserver, 'db'>, roomId: RoomId): Promise<void> {
  if ((await findRoomBlock(db, roomId)) !== undefined)
    throw forbidden('This room has been blocked on this server')
}

const COMES_IN: ReadonlySet<unknown> = new Set(['join', 'knock', 'invite'])

/** Whether a membership brings somebody into a room, or nearer to it. */
export const comesIn = (membership: unknown): boolean => COMES_IN.has(membership)
