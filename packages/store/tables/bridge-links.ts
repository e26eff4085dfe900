import type { Database, Step, TableShape } from '../db/database.ts'

const BRIDGE_PORTAL: TableShape = {
  name: 'bridge_portal',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'network', type: 'text' },
    { name: 'server', type: 'text' },
    { name: 'channel', type: 'text' },
    { name: 'name', type: 'text' },
    { name: 'created_ts', type: 'int' },
  ],
}

const BRIDGE_LINK: TableShape = {
  name: 'bridge_link',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'portal_nid', type: 'int' },
    { name: 'room_id', type: 'text' },
    { name: 'state', type: 'text' },
    { name: 'options', type: 'text' },
    { name: 'requested_by', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'updated_ts', type: 'int' },
  ],
}

const BRIDGE_CONSENT: TableShape = {
  name: 'bridge_consent',
  columns: [
    { name: 'link_nid', type: 'int' },
    { name: 'ts', type: 'int' },
    { name: 'side', type: 'text' },
    { name: 'who', type: 'text' },
    { name: 'answer', type: 'text' },
    { name: 'proof', type: 'text' },
  ],
  onConflict: { key: ['link_nid', 'ts', 'side'], action: 'replace' },
}

export interface PortalRecord {
  readonly nid: number
  readonly network: string
  readonly server: string
  readonly channel: string
  readonly name: string
  readonly createdTs: number
}

export interface LinkRecord {
  readonly nid: number
  readonly portalNid: number
  readonly roomId: string
  readonly state: string
  /** JSON. */
  readonly options: string
  readonly requestedBy: string
  readonly createdTs: number
  readonly updatedTs: number
}

export interface ConsentRecord {
  readonly linkNid: number
  readonly ts: number
  readonly side: 'matrix' | 'remote'
  readonly who: string
  readonly answer: string
  readonly proof: string
}

type PortalRow = {
  nid: number
  network: string
  server: string
  channel: string
  name: string
  created_ts: number
}
type LinkRow = {
  nid: number
  portal_nid: number
  room_id: string
  state: string
  options: string
  requested_by: string
  created_ts: number
  updated_ts: number
}

/** All portals. */
export async function listPortals(db: Database): Promise<PortalRecord[]> {
  const rows = await db.queryLarge<PortalRow>('SELECT * FROM bridge_portal ORDER BY nid', [])
  return rows.map(({ created_ts, ...row }) => ({ ...row, createdTs: created_ts }))
}

export function insertPortal(portal: PortalRecord): Step {
  const { nid, network, server, channel, name, createdTs } = portal
  return { into: BRIDGE_PORTAL, values: [nid, network, server, channel, name, createdTs] }
}

/** Links that are not gone, oldest first. */
export async function listLinks(db: Database): Promise<LinkRecord[]> {
  const sql = "SELECT * FROM bridge_link WHERE state <> 'gone' ORDER BY nid"
  const rows = await db.queryLarge<LinkRow>(sql, [])
  return rows.map((row) => ({
    nid: row.nid,
    portalNid: row.portal_nid,
    roomId: row.room_id,
    state: row.state,
    options: row.options,
    requestedBy: row.requested_by,
    createdTs: row.created_ts,
    updatedTs: row.updated_ts,
  }))
}

/** Refused (`conflict`) where the portal has another link that is not gone. */
export function insertLink(link: LinkRecord): Step {
  const { nid, portalNid, roomId, state, options, requestedBy, createdTs, updatedTs } = link
  return {
    into: BRIDGE_LINK,
    values: [nid, portalNid, roomId, state, options, requestedBy, createdTs, updatedTs],
  }
}

export function updateLink(nid: number, state: string, options: string, ts: number): Step {
  const sql = 'UPDATE bridge_link SET state = ?, options = ?, updated_ts = ? WHERE nid = ?'
  return { sql, params: [state, options, ts, nid], expectRows: 1 }
}

/** Gives a link another room. */
export function moveLink(
  nid: number,
  { roomId, state, options }: Pick<LinkRecord, 'roomId' | 'state' | 'options'>,
  ts: number,
): Step {
  const sql = 'UPDATE bridge_link SET room_id = ?, state = ?, options = ?, updated_ts = ? WHERE nid = ?'
  return { sql, params: [roomId, state, options, ts, nid], expectRows: 1 }
}

export function insertConsent(consent: ConsentRecord): Step {
  const { linkNid, ts, side, who, answer, proof } = consent
  return { into: BRIDGE_CONSENT, values: [linkNid, ts, side, who, answer, proof] }
}

/** Who agreed to, refused or ended a link, oldest first. */
export async function listConsents(db: Database, linkNid: number): Promise<ConsentRecord[]> {
  const sql = 'SELECT ts, side, who, answer, proof FROM bridge_consent WHERE link_nid = ? ORDER BY ts'
  const rows = await db.query<{ ts: number; side: string; who: string; answer: string; proof: string }>(sql, [
    linkNid,
  ])
  return rows.map((row) => ({ ...row, linkNid, side: row.side === 'matrix' ? 'matrix' : 'remote' }))
}

/** The highest number used in a bridge table, 0 when it is empty. */
export async function findLastBridgeNid(
  db: Database,
  table: 'bridge_portal' | 'bridge_link' | 'bridge_outbox' | 'bridge_inbox',
): Promise<number> {
  const rows = await db.query<{ nid: number | null }>(`SELECT MAX(nid) AS nid FROM ${table}`, [])
  return rows[0]?.nid ?? 0
}
