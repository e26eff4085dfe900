// https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { canonicalJsonWithout } from '@causeway/matrix/json/canonical.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findEventRowsByNid } from '@causeway/store/tables/events.ts'
import type { OutboundTransactionRow } from '@causeway/store/tables/outbound-transactions.ts'

const decoder = new TextDecoder()

export interface RenderedTransaction {
  /** Canonical JSON. */
  readonly body: string
  readonly pdus: number
}

/**
 * The body of a transaction, the same at every attempt: events as they are stored and signed. One that was redacted
 * or purged since is sent redacted, or left out: its id is the same, and what has to go does not go out.
 */
export async function renderTransaction(
  db: Database,
  serverName: ServerName,
  row: OutboundTransactionRow,
): Promise<RenderedTransaction> {
  const nids = JSON.parse(row.pdus) as number[]
  const rows = nids.length === 0 ? [] : await findEventRowsByNid(db, nids)
  const byNid = new Map(rows.map((event) => [event.nid, event.json]))
  const pdus = nids.flatMap((nid) => {
    const json = byNid.get(nid)
    return json === undefined ? [] : [pduText(json)]
  })
  const head = `{"edus":${row.edus},"origin":${JSON.stringify(serverName)},"origin_server_ts":${row.created_ts}`
  return { body: `${head},"pdus":[${pdus.join(',')}]}`, pdus: pdus.length }
}

/** An event's bytes as they are; `unsigned`, which only events of others have, is not ours to pass on. */
function pduText(json: Uint8Array | string): string {
  const text = typeof json === 'string' ? json : decoder.decode(json)
  if (!text.includes('"unsigned":')) return text
  const pdu = parseJsonObject(text)
  return Object.hasOwn(pdu, 'unsigned') ? canonicalJsonWithout(pdu, ['unsigned'], false) : text
}
