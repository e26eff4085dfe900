import { Readable } from 'node:stream'
import type { Database } from '@causeway/store/db/database.ts'
import {
  listBackedUpSessions,
  type BackedUpSession,
  type BackupId,
} from '@causeway/store/tables/key-backup.ts'
import { HttpResponse } from '../http/endpoint.ts'

/** Keys that are held in memory at a time: a backup may have a hundred thousand. */
const PORTION = 1_000

function keyJson(session: BackedUpSession): string {
  const { first_message_index: first, forwarded_count: forwarded, is_verified: verified } = session
  return `${JSON.stringify(session.session_id)}:{"first_message_index":${first},"forwarded_count":${forwarded},"is_verified":${verified === 1},"session_data":${session.session_data}}`
}

async function* portions(
  db: Database,
  id: BackupId,
  roomId: string | undefined,
): AsyncGenerator<BackedUpSession[]> {
  let from = { room_id: roomId ?? '', session_id: '' }
  for (;;) {
    const rows = await listBackedUpSessions(db, id, { from, roomId, limit: PORTION })
    if (rows.length > 0) yield rows
    if (rows.length < PORTION) return
    from = rows.at(-1)!
  }
}

async function* allText(db: Database, id: BackupId): AsyncGenerator<string> {
  yield '{"rooms":{'
  let room: string | undefined
  for await (const rows of portions(db, id, undefined)) {
    let text = ''
    for (const row of rows) {
      if (row.room_id === room) text += `,${keyJson(row)}`
      else
        text += `${room === undefined ? '' : '}},'}${JSON.stringify(row.room_id)}:{"sessions":{${keyJson(row)}`
      room = row.room_id
    }
    yield text
  }
  yield room === undefined ? '}}' : '}}}}'
}

async function* roomText(db: Database, id: BackupId, roomId: string): AsyncGenerator<string> {
  yield '{"sessions":{'
  let separator = ''
  for await (const rows of portions(db, id, roomId)) {
    yield `${separator}${rows.map(keyJson).join(',')}`
    separator = ','
  }
  yield '}}'
}

/** A backup, or one room of it, as a stream: memory for a portion of it, however large it is. */
export function sendBackup(db: Database, id: BackupId, roomId?: string): HttpResponse {
  const text = roomId === undefined ? allText(db, id) : roomText(db, id, roomId)
  return new HttpResponse({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: Readable.from(text),
  })
}
