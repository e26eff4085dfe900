import type { JsonObject, Signer } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { listKeyDocuments, type ServerKeyWithDocument } from '@causeway/store/tables/server-keys.ts'
import type { ServerFilter } from '../server-filter.ts'
import type { ServerKeyring } from './create-keyring.ts'
import type { OwnKeys } from './own-keys.ts'

/** What somebody asks a notary about one server. */
export interface KeyQuery {
  /** Empty: all. */
  readonly keyIds: readonly KeyId[]
  /** Milliseconds: what is answered should be valid at least until then. */
  readonly minimumValidUntilTs: number
}

/** This server as a notary for others: tells what keys servers have, and signs that. */
export interface Notary {
  /**
   * Signed documents of these servers; one that cannot be reached and was never is left out.
   * @param mayFetch asked before a server has to be contacted for it
   */
  answer(queries: ReadonlyMap<ServerName, KeyQuery>, mayFetch: () => boolean): Promise<JsonObject[]>
}

export interface NotaryDeps {
  readonly serverName: ServerName
  readonly db: Database
  readonly clock: Pick<Clock, 'now'>
  readonly signer: Signer
  readonly own: OwnKeys
  readonly keyring: Pick<ServerKeyring, 'refresh'>
  readonly filter: ServerFilter
}

/**
 * Whether the owner has to be asked: a key is missing, what is known does not last as long as is wanted, or half of
 * its lifetime has passed. https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server
 */
function isStale(rows: readonly ServerKeyWithDocument[], query: KeyQuery, now: number): boolean {
  if (rows.length === 0) return true
  const known = new Set(rows.map(({ keyId }) => keyId))
  if (query.keyIds.some((keyId) => !known.has(keyId))) return true
  const newest = rows.reduce((best, row) => (row.fetchedTs > best.fetchedTs ? row : best))
  const half = newest.fetchedTs + (newest.validUntilTs - newest.fetchedTs) / 2
  return newest.validUntilTs < query.minimumValidUntilTs || now > half
}

/** Each document once; of those that hold none of the wanted keys, none. */
function documentsFor(rows: readonly ServerKeyWithDocument[], { keyIds }: KeyQuery): JsonObject[] {
  const wanted = keyIds.length === 0 ? rows : rows.filter(({ keyId }) => keyIds.includes(keyId as KeyId))
  return [...new Set(wanted.map(({ document }) => document))].map((text) => parseJsonObject(text))
}

export function createNotary({ serverName, db, clock, signer, own, keyring, filter }: NotaryDeps): Notary {
  const answerOne = async (
    name: ServerName,
    query: KeyQuery,
    mayFetch: () => boolean,
  ): Promise<JsonObject[]> => {
    if (name === serverName) return [own.document()]
    const known = await listKeyDocuments(db, name)
    if (!isStale(known, query, clock.now()) || !filter.isAllowed(name) || !mayFetch()) {
      return documentsFor(known, query)
    }
    await keyring.refresh(name)
    return documentsFor(await listKeyDocuments(db, name), query)
  }
  return {
    async answer(queries, mayFetch) {
      const lists = await Promise.all(
        [...queries].map(async ([name, query]) => {
          const documents = await answerOne(name, query, mayFetch)
          return name === serverName ? documents : documents.map((one) => signJson(one, signer))
        }),
      )
      return lists.flat()
    },
  }
}
