import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import type { Database, Step, TableShape } from '../db/database.ts'

export const PROFILES: TableShape = {
  name: 'profiles',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'field', type: 'text' },
    { name: 'value', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'field'], action: 'replace' },
}

/** The profile fields of several users of ours: user → field → value. One query. */
export async function findProfiles(
  db: Database,
  userIds: readonly string[],
): Promise<Map<string, Map<string, JsonValue>>> {
  const rows = await db.query<{ user_id: string; field: string; value: string }>(
    'SELECT user_id, field, value FROM profiles WHERE user_id IN (?text[])',
    [userIds],
  )
  const profiles = new Map<string, Map<string, JsonValue>>()
  for (const row of rows) {
    const fields = profiles.get(row.user_id) ?? new Map<string, JsonValue>()
    fields.set(row.field, parseJson(row.value))
    profiles.set(row.user_id, fields)
  }
  return profiles
}

export function setProfileField(userId: string, field: string, value: JsonValue): Step {
  return { into: PROFILES, values: [userId, field, JSON.stringify(value)] }
}

export function deleteProfileField(userId: string, field: string): Step {
  return { sql: 'DELETE FROM profiles WHERE user_id = ? AND field = ?', params: [userId, field] }
}
