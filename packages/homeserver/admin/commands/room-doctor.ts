import { Type } from 'typebox'
import { forbidden, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { listStateResets } from '@causeway/store/tables/state-resets.ts'
import type { Homeserver } from '../../homeserver.ts'
import { chooseServers } from '../../rooms/doctor/choose-servers.ts'
import { mendBeginning, type BeginningFinding } from '../../rooms/doctor/beginning/mend-beginning.ts'
import { examineRoom, type Examination } from '../../rooms/doctor/examine-room.ts'
import { repairRoom } from '../../rooms/doctor/repair-room.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { defineAdminCommand } from '../command.ts'
import { readServerName } from '../destination-view.ts'
import { formatTime } from '../job-view.ts'
import { readRoom, roomOption } from '../local-room.ts'
import { differs, viewBeginning, viewFinding, viewRepair } from '../view-finding.ts'

export const command = defineAdminCommand({
  usage: '<room>',
  summary: "Compare a room's state with that of other servers, show where they part, and mend it",
  input: Type.Object({
    room: roomOption,
    servers: Type.Optional(
      Type.String({ description: 'Servers to ask before others, with commas between', maxLength: 5_000 }),
    ),
    repair: Type.Optional(
      Type.Boolean({
        description: 'Receive what is missing and judge anew what was refused; without it nothing changes',
      }),
    ),
  }),
  run: async (hs, { room: text, servers = '', repair = false }, actor) => {
    const room = await readRoom(hs, text)
    await requireWholeAndOurs(hs, room)
    const named = readNames(servers)
    const asked = await chooseServers(hs.rooms, room, named)
    const first = await examineRoom(hs.receiving, room, asked)
    if (repair && differs(first.finding))
      return repairAll(hs, room, { named, asked, first, actor: actor.name })
    const beginning = differs(first.finding)
      ? await mendBeginning(hs.receiving, room, named, { dryRun: true })
      : undefined
    return viewFinding(first.finding, await viewResets(hs, room), undefined, beginning)
  },
})

interface RepairRequest {
  readonly named: readonly ServerName[]
  readonly asked: readonly ServerName[]
  readonly first: Examination
  readonly actor: string
}

/** First what follows from the graph since our join; then, where that is not all, what lies before it. */
async function repairAll(
  hs: Homeserver,
  room: RoomInfo,
  { named, asked, first, actor }: RepairRequest,
): Promise<JsonObject> {
  const done = await repairRoom(hs.receiving, room, first)
  const shown = viewRepair(done)
  const about = { room: room.roomId, actor }
  hs.logger.warn('a room was repaired by its doctor', { ...about, ...shown })
  let last = (await examineRoom(hs.receiving, room, asked)).finding
  let beginning: BeginningFinding | undefined
  if (differs(last)) {
    beginning = await mendBeginning(hs.receiving, room, named, { dryRun: false })
    if (beginning?.judgement !== undefined) {
      hs.logger.warn('the beginning of a room was repaired by its doctor', {
        ...about,
        ...viewBeginning(beginning),
      })
      last = (await examineRoom(hs.receiving, room, asked)).finding
    }
  }
  const { differences, leftOut } = first.finding
  return {
    ...viewFinding(last, await viewResets(hs, room), done, beginning),
    differences_before: differences.length + leftOut,
    repair: shown,
  }
}

function readNames(servers: string): ServerName[] {
  const names = servers.split(',').filter((name) => name !== '')
  return names.slice(0, MAX_NAMED).map(readServerName)
}

const MAX_NAMED = 20

async function requireWholeAndOurs(hs: Homeserver, { roomId, roomNid }: RoomInfo): Promise<void> {
  const local = await hs.rooms.members.localMembers(roomNid)
  if (local.size === 0) throw notFound(`No user of this server is in ${roomId}: others do not tell us of it`)
  if (hs.rooms.partial.find(roomNid) !== undefined) {
    throw forbidden(
      'The room was just joined and its members are still coming in: see "room show", and ask again',
    )
  }
}

/** The last alarms of the room, the newest first. */
async function viewResets({ db }: Homeserver, { roomNid }: RoomInfo): Promise<JsonObject[]> {
  const rows = await listStateResets(db, roomNid)
  return rows.map((row) => {
    const { count, keys } = JSON.parse(row.reset_keys) as { count: number; keys: JsonObject[] }
    return { at: formatTime(row.at_ts), count, keys }
  })
}
