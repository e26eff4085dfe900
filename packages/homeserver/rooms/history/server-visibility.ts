import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { getMany } from '@causeway/store/state/tree.ts'
import { listMemberKeysOfServer } from '@causeway/store/tables/state.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { readStateAt, readStateEntries } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { expiryOf, isExpiredPdu, NEVER } from '../retention/expiry.ts'
import { pduOfRow, type RoomInfo } from '../stored-event.ts'

/** What a server may be to a room at an event: the most that one of its users was. */
type Standing = 'join' | 'invite' | 'none'

/** Members looked at at a time, until one of them is joined. */
const PORTION = 100

/**
 * Numbers of the events that a server in the room must not see: history visibility at the event against what the
 * server's users were to the room then, the more permissive side of a change counting. Held without state: only
 * state is told. What has outlived its time no server may see, what is sticky any server in the room (MSC4354). Costs a
 * look-up per run of events at equal state; where history is for members only, also the server's members there.
 * https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility
 */
export async function findHiddenFromServer(
  engine: RoomEngine,
  room: RoomInfo,
  server: ServerName,
  rows: readonly EventRow[],
): Promise<ReadonlySet<number>> {
  const sight = createSight(engine, room, server)
  const hidden = new Set<number>()
  const [sticky, expiry] = await Promise.all([engine.sticky.untilOf(rows), expiryOf(engine, room)])
  for (const row of rows) {
    if (expiry !== NEVER && row.state_nid === 0 && isExpiredPdu(pduOfRow(row), expiry)) {
      hidden.add(row.nid)
      continue
    }
    if ((row.flags & EventFlag.outlier) !== 0) {
      if (row.state_nid === 0) hidden.add(row.nid)
      continue
    }
    if (sticky.has(row.nid) || (await sight.at(row.state_root))) continue
    const changed = row.state_before !== row.state_root && isDecisive(row, server)
    if (!changed || !(await sight.at(row.state_before))) hidden.add(row.nid)
  }
  return hidden
}

/** Of a change of visibility, or of a membership of the server's own, the side before counts as well. */
function isDecisive(row: EventRow, server: ServerName): boolean {
  const { type, state_key: stateKey } = pduOfRow(row)
  if (type === 'm.room.history_visibility') return true
  return type === 'm.room.member' && stateKey !== undefined && serverNameOf(stateKey as UserId) === server
}

interface Sight {
  /** Whether the server may see what happens at a state. */
  at(root: number): Promise<boolean>
}

function createSight(engine: RoomEngine, room: RoomInfo, server: ServerName): Sight {
  const known = new Map<number, boolean>()
  const standings = createStandings(engine, room, server)
  const look = async (root: number): Promise<boolean> => {
    const visibility = await visibilityAt(engine, room, root)
    if (visibility !== 'joined' && visibility !== 'invited') return true
    const standing = await standings.at(root)
    return standing === 'join' || (standing === 'invite' && visibility === 'invited')
  }
  return {
    async at(root) {
      const held = known.get(root)
      if (held !== undefined) return held
      const sees = await look(root)
      known.set(root, sees)
      return sees
    },
  }
}

async function visibilityAt(engine: RoomEngine, room: RoomInfo, root: number): Promise<unknown> {
  const entry = await readStateAt(engine, room, root, 'm.room.history_visibility', '')
  return entry?.stored.content['history_visibility']
}

/** What the server's users were at states of the room. Its members' keys are read once, each member event once. */
function createStandings(
  engine: RoomEngine,
  room: RoomInfo,
  server: ServerName,
): { at(root: number): Promise<Standing> } {
  let keys: Promise<number[]> | undefined
  const memberships = new Map<number, unknown>()
  const membershipsOf = async (stateNids: readonly number[]): Promise<unknown[]> => {
    const missing = stateNids.filter((nid) => !memberships.has(nid))
    for (const [nid, { stored }] of await readStateEntries(engine, room, missing)) {
      memberships.set(nid, stored.content['membership'])
    }
    return stateNids.map((nid) => memberships.get(nid))
  }
  return {
    async at(root) {
      keys ??= listMemberKeysOfServer(engine.db, room.roomNid, server)
      const keyNids = await keys
      let standing: Standing = 'none'
      for (let start = 0; start < keyNids.length; start += PORTION) {
        const portion = keyNids.slice(start, start + PORTION)
        const values = await getMany(engine.nodes, room.roomNid, root, portion)
        const found = await membershipsOf(values.filter((nid) => nid !== undefined))
        if (found.includes('join')) return 'join'
        if (found.includes('invite')) standing = 'invite'
      }
      return standing
    },
  }
}
