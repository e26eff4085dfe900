import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startCrowd } from './crowd.ts'
import { cpuSeconds, peakMegabytes } from '../measured/process-cpu.ts'
import { emptyFolder, startServer, type Kind } from './servers.ts'
import { ROOM_VERSION } from './signed-room.ts'

export interface JoinFigures {
  /** Until the join was answered; all in milliseconds from asking for it. */
  readonly joinedMs: number
  /** Until the room with its name was in `/sync`. */
  readonly syncedMs: number
  /** Until its last messages had been read, too. */
  readonly readableMs: number
  /** Until a message of the joiner was taken. */
  readonly writableMs: number
  /** Until all members were listed. */
  readonly completeMs: number
  /** CPU seconds until then. */
  readonly joinerCpu: number
  readonly residentCpu: number
  readonly joinerPeakMegabytes: number
}

const segment = encodeURIComponent
/** What a client asks for first; the room's last thirty events are messages. */
const PAGE = 20
const LAZY = segment('{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":20}}}')

interface SyncedEvent {
  readonly type: string
}

interface SyncedRoom {
  readonly state: { readonly events: readonly SyncedEvent[] }
  readonly timeline: { readonly events: readonly SyncedEvent[] }
}

/**
 * A server of the kind joins the room of many members through another one of the same kind. Both are warm: they have
 * met in a small room before.
 */
export async function measureJoin(kind: Kind, folder: string, work: string): Promise<JoinFigures> {
  await using running = await startCrowd(kind, folder, work)
  const { crowd, resident, authority, alice } = running
  const data = await emptyFolder(work, 'joiner')
  await using joiner = await startServer({ kind, authority, folder: data })
  const bob = await registerUser(joiner.url, 'bob')
  const small = await alice.call('POST', '/createRoom', {
    preset: 'public_chat',
    room_version: ROOM_VERSION,
    name: 'Small',
  })
  const via = `?server_name=${resident.serverName}&via=${resident.serverName}`
  await bob.call('POST', `/join/${segment(small['room_id'] as string)}${via}`, {})
  const isSynced = async (): Promise<boolean> => {
    const answer = await bob.call('GET', `/sync?filter=${LAZY}`)
    const { join = {} } = (answer['rooms'] ?? {}) as { join?: Record<string, SyncedRoom> }
    const room = join[crowd.roomId]
    if (room === undefined) return false
    const events = [...room.state.events, ...room.timeline.events]
    return events.some(({ type }) => type === 'm.room.name')
  }
  const isReadable = async (): Promise<boolean> => {
    const page = await bob.call('GET', `/rooms/${segment(crowd.roomId)}/messages?dir=b&limit=${PAGE}`)
    const messages = (page['chunk'] as unknown as readonly SyncedEvent[]).filter(
      ({ type }) => type === 'm.room.message',
    )
    // One of the page is the join itself.
    return messages.length >= PAGE - 1
  }
  const listed = async (): Promise<number> => {
    const answer = await bob.call('GET', `/rooms/${segment(crowd.roomId)}/joined_members`)
    return Object.keys(answer['joined'] as JsonObject).length
  }
  const before = { joiner: cpuSeconds(joiner.pids), resident: cpuSeconds(resident.pids) }
  const startedAt = performance.now()
  const elapsed = (): number => performance.now() - startedAt
  await bob.call('POST', `/join/${segment(crowd.roomId)}${via}`, {})
  const joinedMs = elapsed()
  await until(isSynced)
  const syncedMs = elapsed()
  await until(isReadable)
  const readableMs = elapsed()
  const message = { msgtype: 'm.text', body: 'here I am' }
  await bob.call('PUT', `/rooms/${segment(crowd.roomId)}/send/m.room.message/1`, message)
  const writableMs = elapsed()
  await until(async () => (await listed()) === crowd.members + 2)
  const completeMs = elapsed()
  return {
    joinedMs,
    syncedMs,
    readableMs,
    writableMs,
    completeMs,
    joinerCpu: cpuSeconds(joiner.pids) - before.joiner,
    residentCpu: cpuSeconds(resident.pids) - before.resident,
    joinerPeakMegabytes: peakMegabytes(joiner.pid),
  }
}

async function until(happened: () => Promise<boolean>): Promise<void> {
  while (!(await happened())) await new Promise((resolve) => setTimeout(resolve, 20))
}
