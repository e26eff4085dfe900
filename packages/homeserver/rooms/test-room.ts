import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import type { CreateRoomInput } from './create-room.ts'

/** Test support: a public room of the newest version with nothing special about it, but for what the test says. */
export function plainRoom(creator: UserId, more: Partial<CreateRoomInput> = {}): CreateRoomInput {
  return {
    rules: findRoomVersion('12')!,
    creator,
    preset: 'public_chat',
    creationContent: {},
    initialState: [],
    invite: [],
    isDirect: false,
    powerLevelOverride: {},
    creatorProfile: {},
    profileOf: () => ({}),
    ...more,
  }
}
