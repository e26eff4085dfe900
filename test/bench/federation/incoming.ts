import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { registerUser, type TestUser } from '@causeway/testkit/matrix-client.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { cpuSeconds, peakMegabytes } from '../measured/process-cpu.ts'
import { startServer, type Kind } from './servers.ts'
import { joinRoom, ROOM_VERSION } from './signed-room.ts'
import { startSigningServer, type SignedRequest } from './signing-server.ts'

const PDUS_OF_TRANSACTION = 50
/** Sent before the clock runs: code is compiled, keys are known. */
const WARM_UP = 10
/** Looking costs the server something as well: seldom, where it takes long. */
const LOOK_MS = { first: 20, most: 500 }
/**
 * Transactions whose events cannot be read yet, at most. Synapse answers before it has dealt with anything, and of more
 * than a hundred events that wait in a room throws away all but the newest.
 */
const MAX_UNREAD = 2

export interface IncomingFigures {
  readonly pdus: number
  /** PDUs per second, until the last one can be read by a client. */
  readonly perSecond: number
  readonly cpuPerThousand: number
  readonly peakMegabytes: number
}

interface Transaction {
  readonly request: SignedRequest
  readonly last: EventId
}

async function waitUntilReadable(reader: TestUser, roomId: RoomId, eventId: EventId): Promise<void> {
  const path = `/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(eventId)}`
  for (let wait = LOOK_MS.first; ; wait = Math.min(LOOK_MS.most, 2 * wait)) {
    const found = await reader.call('GET', path).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Error && error.message.includes('M_NOT_FOUND')) return false
        throw error
      },
    )
    if (found) return
    await sleep(wait)
  }
}

/**
 * One room on the server under test, in which a signing server has a member who says `pdus` things, in transactions of
 * fifty, each sent when the one before it was answered. Everything is signed beforehand.
 */
export async function measureIncoming(kind: Kind, pdus: number): Promise<IncomingFigures> {
  await using stack = new AsyncDisposableStack()
  const authority = makeAuthority()
  const server = stack.use(await startServer({ kind, authority }))
  const sender = stack.use(
    await startSigningServer({
      authority,
      port: await freePort(),
      seed: randomBytes(32).toString('base64'),
      respond: (method, path) => (method === 'PUT' && path.includes('/send/') ? { pdus: {} } : undefined),
    }),
  )
  const reader = await registerUser(server.url, 'reader')
  const made = await reader.call('POST', '/createRoom', { preset: 'public_chat', room_version: ROOM_VERSION })
  const roomId = made['room_id'] as RoomId
  const room = await joinRoom(sender, server, roomId, sender.user('speaker'))
  const transactionOf = (txnId: string): Transaction => {
    const events = Array.from({ length: PDUS_OF_TRANSACTION }, (_, at) =>
      room.say(sender.user('speaker'), `what is said in ${txnId}, the ${at}th thing of it`),
    )
    const body = {
      origin: sender.name,
      origin_server_ts: Date.now(),
      pdus: events.map(({ pdu }) => pdu as unknown as JsonObject),
    }
    const request = sender.prepare(server, 'PUT', `/_matrix/federation/v1/send/${txnId}`, body)
    return { request, last: events.at(-1)!.eventId }
  }
  const sendAll = async (transactions: readonly Transaction[]): Promise<void> => {
    for (const [at, { request }] of transactions.entries()) {
      if (at >= MAX_UNREAD) await waitUntilReadable(reader, roomId, transactions[at - MAX_UNREAD]!.last)
      const { status, body } = await sender.send(request)
      if (status !== 200) throw new Error(`a transaction was answered by ${status}: ${JSON.stringify(body)}`)
      const refused = Object.values(body['pdus'] as JsonObject).find((one) => 'error' in (one as JsonObject))
      if (refused !== undefined) throw new Error(`a PDU was refused: ${JSON.stringify(refused)}`)
    }
    await waitUntilReadable(reader, roomId, transactions.at(-1)!.last)
  }
  const warm = Array.from({ length: WARM_UP }, (_, at) => transactionOf(`warm${at}`))
  await sendAll(warm)
  const count = Math.ceil(pdus / PDUS_OF_TRANSACTION)
  const transactions = Array.from({ length: count }, (_, at) => transactionOf(`txn${at}`))
  const cpuBefore = cpuSeconds(server.pids)
  const startedAt = performance.now()
  await sendAll(transactions)
  const seconds = (performance.now() - startedAt) / 1000
  const cpu = cpuSeconds(server.pids) - cpuBefore
  const done = count * PDUS_OF_TRANSACTION
  return {
    pdus: done,
    perSecond: done / seconds,
    cpuPerThousand: (cpu / done) * 1000,
    peakMegabytes: peakMegabytes(server.pid),
  }
}
