import type { Database, Statement, Step, TableShape } from '../db/database.ts'

/** A user has one: a second one refuses the write. */
const DEHYDRATED_DEVICES: TableShape = {
  name: 'dehydrated_devices',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'device_id', type: 'text' },
    { name: 'data', type: 'text' },
  ],
}

export interface DehydratedDevice {
  readonly deviceId: string
  /** JSON, as the client uploaded it. */
  readonly data: string
}

/** The dehydrated device of a user, if there is one. */
export async function findDehydratedDevice(
  db: Database,
  userId: string,
): Promise<DehydratedDevice | undefined> {
  const sql = 'SELECT device_id, data FROM dehydrated_devices WHERE user_id = ?'
  const [row] = await db.query<{ device_id: string; data: string }>(sql, [userId])
  return row === undefined ? undefined : { deviceId: row.device_id, data: row.data }
}

/** Refused (`conflict`) when the user has one by now. */
export function insertDehydratedDevice(userId: string, { deviceId, data }: DehydratedDevice): Step {
  return { into: DEHYDRATED_DEVICES, values: [userId, deviceId, data] }
}

/** Refused (`precondition`) when it is not the user's any more. */
export function removeDehydratedDevice(userId: string, deviceId: string): Statement {
  return { ...forgetDehydration(userId, deviceId), expectRows: 1 }
}

/** The device, if it was a dehydrated one, is one like others from now on. */
export function forgetDehydration(userId: string, deviceId: string): Statement {
  return {
    sql: 'DELETE FROM dehydrated_devices WHERE user_id = ? AND device_id = ?',
    params: [userId, deviceId],
  }
}
