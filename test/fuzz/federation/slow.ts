import { draftEvent } from './evil-room.ts'
import { signerOf, type Reply } from './evil-server.ts'
import { drip } from './manners.ts'
import { KEY_HOSTS, type World } from './world.ts'

/** Requests that go on and on, of each kind. */
const BODIES = 40
const SIGNERS = 20
const GAPS_PER_ROOM = 5
/** Less than any of the times after which a connection without a byte is given up. */
const EVERY_MS = 250

const PREFIX = '{"pdus":['

/**
 * The enemy drips: the bodies of its requests, its keys, and every answer of its own, while our people ask for it and
 * its events make us ask, until `meanwhile` is done. Then all of it breaks off. Each of our people's requests is judged.
 */
export async function dripEverything<T>(world: World, meanwhile: () => Promise<T>): Promise<T> {
  const { evil } = world
  const stop = new AbortController()
  const before = { answer: evil.answer, keys: evil.keys }
  const hosts = new Set(KEY_HOSTS.slice(-SIGNERS).map((host) => `${host}:${evil.port}`))
  evil.answer = () => drip(PREFIX, EVERY_MS, stop.signal)
  evil.keys = (host, asked) =>
    hosts.has(host) ? drip('{"server_name":', EVERY_MS, stop.signal) : before.keys(host, asked)
  const under = [
    ...Array.from({ length: BODIES }, (_, at) => dripBody(world, at, stop.signal)),
    ...[...hosts].map((host) => signAs(world, host)),
    ...(await askForMissing(world)),
    ...askAsClient(world),
  ]
  try {
    return await meanwhile()
  } finally {
    stop.abort()
    await Promise.all(under)
    evil.answer = before.answer
    evil.keys = before.keys
  }
}

/** A transaction whose body never ends: given up by us, or broken off. */
async function dripBody({ evil, ours }: World, at: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const sent = evil.send(ours, 'PUT', `/_matrix/federation/v1/send/drip${at}`, '{"pdus":[]}', {
    signal,
    write: (write) => {
      write(PREFIX)
      timer = setInterval(() => write(' '), EVERY_MS)
    },
  })
  await sent.catch(() => undefined)
  clearInterval(timer)
}

/** A request by a server whose keys drip. */
async function signAs(world: World, host: string): Promise<void> {
  const { evil, ours } = world
  const origin = signerOf(host)
  const sent = evil.send(ours, 'PUT', '/_matrix/federation/v1/send/slowkeys', '{"pdus":[]}', { origin })
  const reply = await sent.catch((error: unknown): Reply => ({ status: 0, text: String(error) }))
  world.judge(`keys of ${host} that drip`, reply)
  if (reply.status === 0) world.faults.push(`keys of ${host} that drip: no answer: ${reply.text}`)
}

/** Events before which something is missing, in every room: we ask for it whoever sent them. */
async function askForMissing(world: World): Promise<Promise<unknown>[]> {
  const { evil, ours, rooms, strong } = world
  return [...rooms, ...strong].map((room, at) => {
    const pdus = Array.from({ length: GAPS_PER_ROOM }, () => {
      const hidden = draftEvent(room, { type: 'm.room.message', content: { body: 'never shown' } })
      const content = { body: 'waits for what drips' }
      return draftEvent(room, { type: 'm.room.message', content, prev: [hidden.eventId] }).pdu
    })
    const body = JSON.stringify({ pdus })
    const sent = evil.send(ours, 'PUT', `/_matrix/federation/v1/send/gap${at}`, body)
    return sent.then(
      (reply) => world.judge('events before which something is missing', reply),
      (error: unknown) => world.faults.push(`events before which something is missing: ${String(error)}`),
    )
  })
}

/** What our people ask of the enemy; a fault that is its own is told as such. */
function askAsClient(world: World): Promise<unknown>[] {
  const { evil, alice, mallory } = world
  const room = encodeURIComponent(`!slow:${evil.name}`)
  const requests = [
    ['POST', `/_matrix/client/v3/join/${room}?via=${evil.name}`],
    ['POST', `/_matrix/client/v3/knock/${room}?via=${evil.name}`],
    ['GET', `/_matrix/client/v3/publicRooms?server=${evil.name}`],
    ['GET', `/_matrix/client/v3/profile/${encodeURIComponent(mallory)}`],
    ['GET', `/_matrix/client/v3/directory/room/${encodeURIComponent(`#slow:${evil.name}`)}`],
    ['GET', `/_matrix/client/v1/media/download/${evil.name}/slow`],
  ] as const
  return requests.map(async ([method, path]) => {
    world.judge(
      `${method} ${path} dripping`,
      await alice.call(method, path, method === 'POST' ? {} : undefined),
      true,
    )
  })
}
