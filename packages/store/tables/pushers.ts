import type { Database, Row, Statement, Step, TableShape } from '../db/database.ts'

const PUSHERS: TableShape = {
  name: 'pushers',
  columns: [
    { name: 'nid', type: 'int' },
    { name: 'user_id', type: 'text' },
    { name: 'app_id', type: 'text' },
    { name: 'pushkey', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'kind', type: 'text' },
    { name: 'app_display_name', type: 'text' },
    { name: 'device_display_name', type: 'text' },
    { name: 'profile_tag', type: 'text' },
    { name: 'lang', type: 'text' },
    { name: 'data', type: 'text' },
    { name: 'gateway', type: 'text' },
    { name: 'set_ts', type: 'int' },
    { name: 'since', type: 'int' },
    { name: 'position', type: 'int' },
    { name: 'badge', type: 'int' },
    { name: 'failing_since', type: 'int' },
  ],
}

/** The kind of those that lead to an e-mail address. They are of an account, and of no session. */
export const EMAIL = 'email'

/** What they have in place of a gateway: the mail server is one place. No host and port are written like this. */
export const MAIL_SERVER = 'mailto:'

const COLUMNS = PUSHERS.columns.map(({ name }) => name).join(', ')

/** What a client says of a pusher, and whose it is. */
export interface PusherSetting {
  readonly user_id: string
  readonly app_id: string
  readonly pushkey: string
  /** Empty: of no session. */
  readonly device_id: string
  readonly kind: string
  readonly app_display_name: string
  readonly device_display_name: string
  /** Empty when there is none. */
  readonly profile_tag: string
  readonly lang: string
  /** JSON object. */
  readonly data: string
  /** Host and port of the gateway; `MAIL_SERVER` where the kind is `email`. */
  readonly gateway: string
  readonly set_ts: number
}

export type PusherRow = Row &
  PusherSetting & {
    readonly nid: number
    readonly since: number
    /** Changes whenever it is set again. */
    readonly position: number
    /** -1: the gateway was told none yet. */
    readonly badge: number
    /** Milliseconds; 0: it can be reached. */
    readonly failing_since: number
  }

export function listPushersOfUser(db: Database, userId: string): Promise<PusherRow[]> {
  return db.query<PusherRow>(`SELECT ${COLUMNS} FROM pushers WHERE user_id = ? ORDER BY app_id, pushkey`, [
    userId,
  ])
}

/** Pushers of other users that lead to the same place. */
export function listOtherPushers(
  db: Database,
  { user_id: userId, app_id: appId, pushkey }: PusherSetting,
  limit: number,
): Promise<PusherRow[]> {
  return db.query<PusherRow>(
    `SELECT ${COLUMNS} FROM pushers WHERE app_id = ? AND pushkey = ? AND user_id <> ? ORDER BY nid LIMIT ?`,
    [appId, pushkey, userId, limit],
  )
}

export async function findPusher(db: Database, nid: number): Promise<PusherRow | undefined> {
  return (await db.query<PusherRow>(`SELECT ${COLUMNS} FROM pushers WHERE nid = ?`, [nid]))[0]
}

/** What has to be known of a pusher to put something in its queue. */
export interface PusherRef extends Row {
  nid: number
  user_id: string
  gateway: string
  since: number
}

export function listPusherRefs(db: Database, userId: string): Promise<PusherRef[]> {
  return db.query<PusherRef>('SELECT nid, user_id, gateway, since FROM pushers WHERE user_id = ?', [userId])
}

/** Pushers of those who are joined to a room. Any number of rows. */
export function listPushersOfRoom(db: Database, roomNid: number): Promise<PusherRef[]> {
  return db.queryLarge<PusherRef>(
    `SELECT p.nid, p.user_id, p.gateway, p.since FROM memberships m JOIN pushers p ON p.user_id = m.user_id
     WHERE m.room_nid = ? AND m.membership = 'join' AND m.is_local = 1`,
    [roomNid],
  )
}

/** Whether anybody has a pusher at all. */
export async function hasPushers(db: Database): Promise<boolean> {
  return (await db.query('SELECT nid FROM pushers LIMIT 1', [])).length > 0
}

/**
 * A new pusher. Refused (`conflict`) when the user has one of this key, and (`precondition`) when they have more
 * than `most` with it.
 * @param entry index of the log entry in the write
 */
export function insertPusher(nid: number, setting: PusherSetting, entry: number, most: number): Step[] {
  const position = { position: entry }
  const { user_id: userId, app_id: appId, pushkey, device_id: deviceId, kind, set_ts: setTs } = setting
  const named = [setting.app_display_name, setting.device_display_name, setting.profile_tag, setting.lang]
  const values = [nid, userId, appId, pushkey, deviceId, kind, ...named, setting.data, setting.gateway, setTs]
  return [
    { into: PUSHERS, values: [...values, position, position, -1, 0] },
    {
      sql: 'SELECT 1 AS ok FROM (SELECT count(*) AS n FROM pushers WHERE user_id = ?) AS c WHERE c.n <= ?',
      params: [userId, most],
      expectRows: 1,
    },
  ]
}

/** Sets a pusher anew; refused unless it is as it was read. What it was still to be told stays. */
export function updatePusher(before: PusherRow, setting: PusherSetting, entry: number): Statement {
  return {
    sql: `UPDATE pushers SET device_id = ?, kind = ?, app_display_name = ?, device_display_name = ?,
       profile_tag = ?, lang = ?, data = ?, gateway = ?, set_ts = ?, position = ?, failing_since = 0
     WHERE nid = ? AND position = ?`,
    params: [
      setting.device_id,
      setting.kind,
      setting.app_display_name,
      setting.device_display_name,
      setting.profile_tag,
      setting.lang,
      setting.data,
      setting.gateway,
      setting.set_ts,
      { position: entry },
      before.nid,
      before.position,
    ],
    expectRows: 1,
  }
}

/** Pushers that meet a condition go, with all that they were still to be told. */
function deleteWhere(condition: string, params: readonly (string | number)[]): Statement[] {
  return [
    ...QUEUES.map((table) => ({
      sql: `DELETE FROM ${table} WHERE pusher_nid IN (SELECT nid FROM pushers WHERE ${condition})`,
      params,
    })),
    { sql: `DELETE FROM pushers WHERE ${condition}`, params },
  ]
}

const QUEUES = ['push_rooms', 'digest_turns', 'digest_rooms']

export const deletePusher = (userId: string, appId: string, pushkey: string): Statement[] =>
  deleteWhere('user_id = ? AND app_id = ? AND pushkey = ?', [userId, appId, pushkey])

/** Those of other users that lead to the same place. */
export const deleteOtherPushers = ({ user_id: userId, app_id: appId, pushkey }: PusherSetting): Statement[] =>
  deleteWhere('app_id = ? AND pushkey = ? AND user_id <> ?', [appId, pushkey, userId])

/** A session ended. */
export const deletePushersOfDevice = (userId: string, deviceId: string): Statement[] =>
  deleteWhere('user_id = ? AND device_id = ?', [userId, deviceId])

/** Every session but one ended (an empty id keeps none): all but those of the account's addresses go. */
export const deletePushersOfOthers = (userId: string, keptDeviceId: string): Statement[] =>
  deleteWhere(`user_id = ? AND kind <> '${EMAIL}' AND (device_id <> ? OR device_id = '')`, [
    userId,
    keptDeviceId,
  ])

/** The account ended. */
export const deletePushersOfUser = (userId: string): Statement[] => deleteWhere('user_id = ?', [userId])

/** An address is not the user's any more. */
export const deletePushersOfAddress = (userId: string, address: string): Statement[] =>
  deleteWhere(`user_id = ? AND kind = '${EMAIL}' AND pushkey = ?`, [userId, address])

/** The gateway says that it leads nowhere; stays when it was set anew meanwhile. */
export const deleteRejectedPusher = ({ nid, position }: PusherRow): Statement[] =>
  deleteWhere('nid = ? AND position = ?', [nid, position])

/** The gateway took something, and with it the count of unread messages. */
export function notePushed({ nid }: PusherRow, badge: number): Statement {
  return { sql: 'UPDATE pushers SET badge = ?, failing_since = 0 WHERE nid = ?', params: [badge, nid] }
}

/** Since when it fails. */
export function noteFailing(nid: number, since: number): Statement {
  return { sql: 'UPDATE pushers SET failing_since = ? WHERE nid = ?', params: [since, nid] }
}

/** How many there are, and how many of these fail. */
export async function countPushers(
  db: Pick<Database, 'queryLarge'>,
): Promise<{ pushers: number; failing: number }> {
  const rows = await db.queryLarge<{ n: number; failing: number }>(
    `SELECT count(*) AS n, coalesce(sum(CASE WHEN failing_since > 0 THEN 1 ELSE 0 END), 0) AS failing FROM pushers`,
    [],
  )
  const [{ n, failing } = { n: 0, failing: 0 }] = rows
  return { pushers: Number(n), failing: Number(failing) }
}
