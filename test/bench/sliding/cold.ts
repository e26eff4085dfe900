import { parseArgs } from 'node:util'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { registerUser, request } from '@causeway/testkit/matrix-client.ts'
import { startPostgres } from '@causeway/testkit/postgres.ts'
import { ensureBundle } from '../measured/bundle.ts'
import { cpuSeconds } from '../measured/process-cpu.ts'
import { askingLikeElementX, roomAt } from './element-x.ts'

// `node scripts/bootstrap.mjs run test/bench/sliding/cold.ts [-- options]`: the very first sliding sync of a process, as
// `npm start` runs it, of somebody in many rooms; then the same of a second connection. CPU is counted in steps of 10 ms.
//
//   --databases SQLite,PostgreSQL
//   --rooms 1000
//   --window 20         rooms of the list, with what Element X asks for
//   --starts 5          how often the server is started

const { values } = parseArgs({
  options: {
    databases: { type: 'string', default: 'SQLite,PostgreSQL' },
    rooms: { type: 'string', default: '1000' },
    window: { type: 'string', default: '20' },
    starts: { type: 'string', default: '5' },
  },
})
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const middle = (figures: readonly number[]): string =>
  figures.toSorted((a, b) => a - b)[Math.floor((figures.length - 1) / 2)]!.toFixed(0)

/** Long enough for what a start leaves to be done; the first sync of a person comes later than that. */
const AFTER_START_MS = 4_000

async function measure(databaseUrl?: string): Promise<void> {
  await using server = await startCauseway({
    program: await ensureBundle(),
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
  })
  const alice = await registerUser(server.url, 'alice')
  for (let at = 0; at < Number(values.rooms); at++) {
    const { room_id: roomId } = await alice.call('POST', '/createRoom', roomAt(at))
    await alice.call('PUT', `/rooms/${encodeURIComponent(roomId as string)}/send/m.room.message/${at}`, {
      msgtype: 'm.text',
      body: `Message of room ${at}`,
    })
  }
  const figures = { first: [] as number[], firstCpu: [] as number[], second: [] as number[] }
  const sync = async (connId: string): Promise<JsonObject> => {
    const { status, body } = await request(
      server.url,
      'POST',
      '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync',
      { token: alice.token, body: askingLikeElementX(Number(values.window) - 1, connId) },
    )
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`)
    return body
  }
  const timed = async (connId: string): Promise<number> => {
    const start = performance.now()
    const told = Object.keys((await sync(connId))['rooms'] as JsonObject).length
    const took = performance.now() - start
    if (told !== Number(values.window)) throw new Error(`${told} rooms were told`)
    return took
  }
  for (let at = 0; at < Number(values.starts); at++) {
    await server.restart()
    await new Promise((resolve) => setTimeout(resolve, AFTER_START_MS))
    // The connection, and our own code.
    await fetch(`${server.url}/_matrix/client/versions`).then((answer) => answer.text())
    const before = cpuSeconds([server.pid()])
    figures.first.push(await timed(`first ${at}`))
    figures.firstCpu.push((cpuSeconds([server.pid()]) - before) * 1_000)
    figures.second.push(await timed(`second ${at}`))
  }
  print(
    `  first of a process: ${middle(figures.first)} ms (${figures.first.map((ms) => ms.toFixed(0)).join(', ')}), ` +
      `CPU of the server ${middle(figures.firstCpu)} ms; again at once: ${middle(figures.second)} ms`,
  )
}

if (values.databases.includes('SQLite')) {
  print(`SQLite, ${values.rooms} rooms, a window of ${values.window}`)
  await measure()
}
if (values.databases.includes('PostgreSQL')) {
  const database = await startPostgres()
  if ('skip' in database) print(`PostgreSQL: ${database.skip}`)
  else {
    print(`PostgreSQL, ${values.rooms} rooms, a window of ${values.window}`)
    try {
      await measure(await database.createDatabase())
    } finally {
      await database.stop()
    }
  }
}
