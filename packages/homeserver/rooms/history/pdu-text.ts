import { redactPdu } from '@causeway/matrix/events/redact.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { listStatePdus } from '@causeway/store/tables/state.ts'
import type { RoomEngine } from '../engine.ts'
import { pduOfRow, type RoomInfo } from '../stored-event.ts'
import { findHiddenFromServer } from './server-visibility.ts'

const decoder = new TextDecoder()

function textOf(json: Uint8Array | string): string {
  return typeof json === 'string' ? json : decoder.decode(json)
}

/** Events of a room as a server gets them: as they are stored, or in their redacted form where it must not see them. */
export async function pduTextsFor(
  engine: RoomEngine,
  room: RoomInfo,
  server: ServerName,
  rows: readonly EventRow[],
): Promise<string[]> {
  const hidden = await findHiddenFromServer(engine, room, server, rows)
  return rows.map((row) =>
    hidden.has(row.nid)
      ? canonicalJson(redactPdu(room.rules, pduOfRow(row)), room.rules.strictCanonicalJson)
      : textOf(row.json),
  )
}

/** Rows read at a time: a few megabytes. */
const PORTION = 2_000

/** State events by their numbers as JSON texts, joined by commas: none of them is parsed. */
export async function statePduTexts(
  engine: RoomEngine,
  room: RoomInfo,
  stateNids: readonly number[],
): Promise<string> {
  const texts: string[] = []
  for (let start = 0; start < stateNids.length; start += PORTION) {
    const portion = stateNids.slice(start, start + PORTION)
    for (const { json } of await listStatePdus(engine.db, room.roomNid, portion)) {
      texts.push(textOf(json))
    }
  }
  return texts.join(',')
}
