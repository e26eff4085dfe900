import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { listAliases } from '@causeway/store/tables/aliases.ts'
import { countBackwardExtremities } from '@causeway/store/tables/backward-extremities.ts'
import { countRefused } from '@causeway/store/tables/events.ts'
import { countInboundPdus } from '@causeway/store/tables/inbound-pdus.ts'
import { listRoomServers } from '@causeway/store/tables/room-servers.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import { listStateResets } from '@causeway/store/tables/state-resets.ts'
import { isPublished } from '@causeway/store/tables/directory.ts'
import { countEventsOfRoom } from '@causeway/store/tables/overview.ts'
import type { Homeserver } from '../../homeserver.ts'
import { readStoredExtremities } from '../../rooms/head.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import type { PartialRoom } from '../../rooms/join/partial-rooms.ts'
import { defineAdminCommand } from '../command.ts'
import { describeState } from '../describe-room.ts'
import { readRoom, roomOption } from '../local-room.ts'

export const command = defineAdminCommand({
  usage: '<room>',
  summary: 'Show what this server knows of a room',
  input: Type.Object({ room: roomOption }),
  run: async (hs, { room: text }) => {
    const room = await readRoom(hs, text)
    const [state, counts, local, aliases, published, events] = await Promise.all([
      describeState(hs, room),
      hs.rooms.members.counts(room.roomNid),
      hs.rooms.members.localMembers(room.roomNid),
      listAliases(hs.db, room.roomId),
      isPublished(hs.db, room.roomNid),
      countEventsOfRoom(hs.db, room.roomNid),
    ])
    return {
      room_id: room.roomId,
      version: room.rules.version,
      ...state,
      joined: counts.joined,
      from_here: local.size,
      invited: counts.invited,
      aliases,
      in_directory: published,
      events,
      ...(await readHealth(hs, room)),
      ...describePartial(hs.rooms.partial.find(room.roomNid), counts.joined, hs.clock.now()),
    }
  },
})

/** What a room costs, and what is wrong with it: the exact figures of what metrics name for some rooms only. */
async function readHealth({ db, rooms }: Homeserver, { roomId, roomNid }: RoomInfo): Promise<JsonObject> {
  const row = await findRoomRow(db, roomId)
  const { rejected, softFailed } = await countRefused(db, roomNid)
  const servers = await listRoomServers(db, roomNid)
  return {
    other_servers: servers.filter(({ joined }) => joined > 0).length,
    extremities: row === undefined ? 0 : readStoredExtremities(row).eventIds.length,
    gaps: await countBackwardExtremities(db, roomNid),
    rejected,
    soft_failed: softFailed,
    waiting: await countInboundPdus(db, roomId),
    state_resets: (await listStateResets(db, roomNid)).length,
    resolving_s: Math.round(rooms.figures.resolutionMs.get(roomId)) / 1000,
  }
}

/** How far a room that was joined fast has got; nothing of one that is whole. */
function describePartial(partial: PartialRoom | undefined, members: number, now: number): JsonObject {
  if (partial === undefined) return {}
  return {
    members_missing: true,
    members_so_far: members,
    ...(partial.progress === undefined
      ? {}
      : { events_stored: partial.progress.stored, events_expected: partial.progress.expected }),
    joining_for_s: Math.round((now - partial.startedTs) / 1000),
    attempts: partial.attempts,
    asking: partial.servers.slice(0, 5),
  }
}
