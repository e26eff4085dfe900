import type { Database, Step, TableShape } from '../db/database.ts'

const BRIDGE_GHOST: TableShape = {
  name: 'bridge_ghost',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'network', type: 'text' },
    { name: 'server', type: 'text' },
    { name: 'remote_id', type: 'text' },
    { name: 'display_name', type: 'text' },
    { name: 'created_ts', type: 'int' },
  ],
  onConflict: { key: ['user_id'], action: 'replace' },
}

const BRIDGE_GHOST_MEMBER: TableShape = {
  name: 'bridge_ghost_member',
  columns: [
    { name: 'portal_nid', type: 'int' },
    { name: 'user_id', type: 'text' },
    { name: 'room_id', type: 'text' },
  ],
  onConflict: { key: ['portal_nid', 'user_id'], action: 'replace' },
}

export interface GhostRecord {
  readonly userId: string
  readonly network: string
  readonly server: string
  readonly remoteId: string
  readonly displayName: string
  readonly createdTs: number
}

/** A ghost that was made, or undefined. */
export async function findGhost(db: Database, userId: string): Promise<GhostRecord | undefined> {
  const rows = await db.query<{
    network: string
    server: string
    remote_id: string
    display_name: string
    created_ts: number
  }>('SELECT * FROM bridge_ghost WHERE user_id = ?', [userId])
  const row = rows[0]
  if (row === undefined) return undefined
  const { network, server, remote_id: remoteId, display_name: displayName, created_ts: createdTs } = row
  return { userId, network, server, remoteId, displayName, createdTs }
}

/** Makes a ghost known, or changes its name. */
export function setGhost(ghost: GhostRecord): Step {
  const { userId, network, server, remoteId, displayName, createdTs } = ghost
  return { into: BRIDGE_GHOST, values: [userId, network, server, remoteId, displayName, createdTs] }
}

/** Ghosts in a portal's room. */
export async function listGhostMembers(db: Database, portalNid: number): Promise<string[]> {
  const sql = 'SELECT user_id FROM bridge_ghost_member WHERE portal_nid = ? ORDER BY user_id'
  const rows = await db.queryLarge<{ user_id: string }>(sql, [portalNid])
  return rows.map((row) => row.user_id)
}

export function setGhostMember(portalNid: number, userId: string, roomId: string): Step {
  return { into: BRIDGE_GHOST_MEMBER, values: [portalNid, userId, roomId] }
}

export function deleteGhostMember(portalNid: number, userId: string): Step {
  return {
    sql: 'DELETE FROM bridge_ghost_member WHERE portal_nid = ? AND user_id = ?',
    params: [portalNid, userId],
  }
}

export function deleteGhostMembers(portalNid: number): Step {
  return { sql: 'DELETE FROM bridge_ghost_member WHERE portal_nid = ?', params: [portalNid] }
}
