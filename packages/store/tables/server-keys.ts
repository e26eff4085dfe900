import type { Database, Row, Step, TableShape } from '../db/database.ts'

const SERVER_KEYS: TableShape = {
  name: 'server_keys',
  columns: [
    { name: 'server_name', type: 'text' },
    { name: 'key_id', type: 'text' },
    { name: 'public_key', type: 'text' },
    { name: 'valid_until_ts', type: 'int' },
    { name: 'expired_ts', type: 'int' },
    { name: 'fetched_ts', type: 'int' },
    { name: 'notary', type: 'text' },
    { name: 'document', type: 'text' },
  ],
  onConflict: { key: ['server_name', 'key_id'], action: 'replace' },
}

/** A public key of another server, as it is kept. Times in milliseconds. */
export interface ServerKeyRow {
  readonly serverName: string
  readonly keyId: string
  /** Unpadded base64. */
  readonly publicKey: string
  readonly validUntilTs: number
  /** When its owner stopped using it; 0: it is in use. */
  readonly expiredTs: number
  readonly fetchedTs: number
  /** The server that told us; empty: its owner. */
  readonly notary: string
}

/** A key together with the signed JSON document that it stood in. */
export interface ServerKeyWithDocument extends ServerKeyRow {
  readonly document: string
}

const COLUMNS = 'server_name, key_id, public_key, valid_until_ts, expired_ts, fetched_ts, notary'

function toKey(row: Row): ServerKeyRow {
  return {
    serverName: String(row['server_name']),
    keyId: String(row['key_id']),
    publicKey: String(row['public_key']),
    validUntilTs: Number(row['valid_until_ts']),
    expiredTs: Number(row['expired_ts']),
    fetchedTs: Number(row['fetched_ts']),
    notary: String(row['notary']),
  }
}

/** Every key that is kept of these servers. */
export async function listServerKeys(db: Database, serverNames: readonly string[]): Promise<ServerKeyRow[]> {
  const rows = await db.query(`SELECT ${COLUMNS} FROM server_keys WHERE server_name IN (?text[])`, [
    serverNames,
  ])
  return rows.map(toKey)
}

/** As `listServerKeys` for one server, with the documents. */
export async function listKeyDocuments(db: Database, serverName: string): Promise<ServerKeyWithDocument[]> {
  const rows = await db.query(
    `SELECT ${COLUMNS}, document FROM server_keys WHERE server_name = ? ORDER BY key_id`,
    [serverName],
  )
  return rows.map((row) => ({ ...toKey(row), document: String(row['document']) }))
}

/** Keeps a key; takes the place of what was kept under its id. */
export function storeServerKey(key: ServerKeyWithDocument): Step {
  const { serverName, keyId, publicKey, validUntilTs, expiredTs, fetchedTs, notary, document } = key
  return {
    into: SERVER_KEYS,
    values: [serverName, keyId, publicKey, validUntilTs, expiredTs, fetchedTs, notary, document],
  }
}
