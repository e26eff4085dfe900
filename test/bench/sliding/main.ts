import { parseArgs } from 'node:util'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '@causeway/homeserver/client/routes.ts'
import { findServerDrivers, type TestServer } from '@causeway/homeserver/test-server.ts'
import { openSlider, type Slider } from '@causeway/homeserver/sync/sliding/test-slider.ts'
import { askingLikeElementX, roomAt } from './element-x.ts'

// `node scripts/bootstrap.mjs run test/bench/sliding/main.ts [-- options]`: how long sliding sync takes for somebody in many
// rooms, over the whole of the client API without a socket: first after a start, again, after a message, with nothing new.
//
//   --databases SQLite,PostgreSQL
//   --rooms 1000        a name and a topic each, every second one encrypted, with --messages 3 messages
//   --window 20         rooms of the list, with what Element X asks for
//   --repeats 50
//   --warm 20           syncs of somebody else before the first: 0 measures code that runs for the first time, too

const { values } = parseArgs({
  options: {
    databases: { type: 'string', default: 'SQLite,PostgreSQL' },
    rooms: { type: 'string', default: '1000' },
    messages: { type: 'string', default: '3' },
    window: { type: 'string', default: '20' },
    repeats: { type: 'string', default: '50' },
    warm: { type: 'string', default: '20' },
  },
})
const [rooms, messages, size, repeats, warm] = [
  values.rooms,
  values.messages,
  values.window,
  values.repeats,
  values.warm,
].map(Number) as [number, number, number, number, number]
const print = (line: string): void => void process.stdout.write(`${line}\n`)

async function call(
  server: TestServer,
  token: string,
  method: string,
  path: string,
  body: JsonObject,
): Promise<JsonObject> {
  const answer = await server.request(method, `/_matrix/client/v3${path}`, { token, body })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.json())}`)
  return answer.json()
}

async function makeRooms(server: TestServer, token: string): Promise<string[]> {
  const roomIds: string[] = []
  for (let at = 0; at < rooms; at++) {
    const made = await call(server, token, 'POST', '/createRoom', roomAt(at))
    const roomId = made['room_id'] as string
    roomIds.push(roomId)
    for (let n = 0; n < messages; n++)
      await call(
        server,
        token,
        'PUT',
        `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${at}.${n}`,
        {
          msgtype: 'm.text',
          body: `Message ${n} of room ${at}`,
        },
      )
  }
  return roomIds
}

interface Timing {
  /** Milliseconds on the clock, which others on the machine make longer. */
  readonly ms: number
  /** Milliseconds of CPU of the whole process, all its threads. */
  readonly cpu: number
  readonly told: number
}

async function timed(run: () => Promise<JsonObject>): Promise<Timing> {
  const before = process.cpuUsage()
  const start = performance.now()
  const answer = await run()
  const { user, system } = process.cpuUsage(before)
  const ms = performance.now() - start
  return { ms, cpu: (user + system) / 1_000, told: Object.keys(answer['rooms'] as JsonObject).length }
}

function report(what: string, times: readonly Timing[]): void {
  const at = (part: number, key: 'ms' | 'cpu'): string => {
    const sorted = times.map((one) => one[key]).toSorted((a, b) => a - b)
    return `${sorted[Math.floor((sorted.length - 1) * part)]!.toFixed(2)} ms`
  }
  const clock = `median ${at(0.5, 'ms')}, best ${at(0, 'ms')}, p95 ${at(0.95, 'ms')}`
  print(`  ${what}: ${clock}; CPU ${at(0.5, 'cpu')}; ${times[0]!.told} rooms told (${times.length} times)`)
}

async function repeat(run: (at: number) => Promise<Timing>, times = repeats): Promise<Timing[]> {
  const found: Timing[] = []
  for (let at = 0; at < times; at++) found.push(await run(at))
  return found
}

async function measure(
  server: TestServer,
  { token, other, roomIds }: { token: string; other: string; roomIds: readonly string[] },
): Promise<void> {
  const open = (at: number): Slider => openSlider(server, token, askingLikeElementX(size - 1, `c${at % 8}`))
  // What is measured is what is not in memory, and not code that runs for the first time.
  for (let at = 0; at < warm; at++)
    await openSlider(server, other, askingLikeElementX(size - 1, `w${at % 8}`)).next()
  report('first sync, nothing of the user in memory', [await timed(() => open(0).next())])
  report('first sync again', await repeat((at) => timed(() => open(at).next())))
  const whole = askingLikeElementX(rooms - 1, 'whole')
  report('all rooms at once', await repeat(() => timed(() => openSlider(server, token, whole).next()), 3))
  const slider = openSlider(server, token, whole)
  await slider.next()
  const afterMessage = async (at: number): Promise<Timing> => {
    const roomId = encodeURIComponent(roomIds[(at * 37) % roomIds.length]!)
    await call(server, token, 'PUT', `/rooms/${roomId}/send/m.room.message/after${at}`, {
      msgtype: 'm.text',
      body: 'x',
    })
    return timed(() => slider.next())
  }
  report('after a message, all rooms in the window', await repeat(afterMessage))
  report('nothing new, all rooms in the window', await repeat(() => timed(() => slider.next())))
}

for (const driver of await findServerDrivers()) {
  if (!values.databases.split(',').includes(driver.name)) continue
  if (driver.skip !== false) {
    print(`${driver.name}: ${driver.skip}`)
    continue
  }
  print(`${driver.name}, ${rooms} rooms, a window of ${size}`)
  const first = await driver.start({
    endpoints: clientRoutes,
    config: { memory: { budget: 256 * 1024 * 1024 } },
  })
  const { token } = await first.register('alice')
  const { token: other } = await first.register('bob')
  const roomIds = await makeRooms(first, token)
  for (let at = 0; at < 30; at++) await call(first, other, 'POST', '/createRoom', { name: `Other ${at}` })
  await using server = await first.restart()
  await measure(server, { token, other, roomIds })
}
