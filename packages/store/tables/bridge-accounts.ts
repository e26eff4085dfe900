import type { Database, Step, TableShape } from '../db/database.ts'

const BRIDGE_ACCOUNT: TableShape = {
  name: 'bridge_account',
  columns: [
    { name: 'network', type: 'text' },
    { name: 'server', type: 'text' },
    { name: 'user_id', type: 'text' },
    { name: 'nick', type: 'text' },
    { name: 'secret', type: 'bytes' },
    { name: 'updated_ts', type: 'int' },
  ],
  onConflict: { key: ['network', 'server', 'user_id'], action: 'replace' },
}

/** How a Matrix user appears on a network. */
export interface BridgeAccount {
  readonly network: string
  readonly server: string
  readonly userId: string
  /** Empty: made from the display name. */
  readonly nick: string
  /** Sealed credentials; empty: none. */
  readonly secret: Uint8Array
  readonly updatedTs: number
}

export async function findBridgeAccount(
  db: Database,
  network: string,
  server: string,
  userId: string,
): Promise<BridgeAccount | undefined> {
  const rows = await db.query<{ nick: string; secret: Uint8Array; updated_ts: number }>(
    'SELECT nick, secret, updated_ts FROM bridge_account WHERE network = ? AND server = ? AND user_id = ?',
    [network, server, userId],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  return { network, server, userId, nick: row.nick, secret: row.secret, updatedTs: row.updated_ts }
}

export function setBridgeAccount(account: BridgeAccount): Step {
  const { network, server, userId, nick, secret, updatedTs } = account
  return { into: BRIDGE_ACCOUNT, values: [network, server, userId, nick, secret, updatedTs] }
}
