import { parentPort, workerData } from 'node:worker_threads'
import { openSqliteReader } from '../sqlite-connection.ts'
import { SqliteReader } from './sqlite-reader.ts'
import type { LargeReadMessage, LargeReadReply } from './large-reads.ts'

// The thread of queryLarge: reads all rows at once (so that no read transaction stays open while the other side
// is busy) and hands them over a chunk per request (so that taking them over never blocks it for long).

const CHUNK_ROWS = 500

const port = parentPort!
const { path } = workerData as { path: string }
const reader = new SqliteReader(openSqliteReader(path))
const unsent = new Map<number, LargeReadReply['rows'][]>()

function reply(message: LargeReadReply): void {
  port.postMessage(message)
}

function sendNext(id: number): void {
  const chunks = unsent.get(id) ?? []
  const rows = chunks.shift() ?? []
  if (chunks.length === 0) unsent.delete(id)
  reply({ id, rows, done: chunks.length === 0 })
}

port.on('message', (message: LargeReadMessage) => {
  if ('close' in message) {
    reader.close()
    port.close()
    return
  }
  try {
    if (message.sql !== undefined) {
      unsent.set(message.id, reader.queryChunks(message.sql, message.params, CHUNK_ROWS))
    }
    sendNext(message.id)
  } catch (error) {
    reply({
      id: message.id,
      rows: [],
      done: true,
      error: error instanceof Error ? error.message : String(error),
    })
  }
})
