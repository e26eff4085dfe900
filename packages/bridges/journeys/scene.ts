import { after, before, describe, test } from 'node:test'
import type { TestIrcClient } from '@causeway/testkit/irc/irc-client.ts'
import type { MatrixPerson } from '@causeway/testkit/matrix-person.ts'
import { HOSTS, hubLog, linkedRoom, startWorld } from './world.ts'
import type { HostKind, World, WorldOptions } from './world.ts'

/** A room with Alice and a channel with Bob, linked. */
export interface Scene extends AsyncDisposable {
  readonly alice: MatrixPerson
  /** The first in the channel, and so its operator. */
  readonly bob: TestIrcClient
  readonly roomId: string
  readonly channel: string
  /** What Bob reads in the channel, now or soon, that is exactly this. */
  readonly bobReads: (text: string) => Promise<Record<string, unknown>>
}

/** Where a group of journeys takes place. */
export interface Stage {
  readonly host: HostKind
  /** Once its journeys run. */
  readonly world: World
  /** A test; what the hub logged is shown where it fails, and why it is skipped where there is no world for it. */
  readonly journey: (title: string, run: () => Promise<void>) => void
  /**
   * A linked room and channel. `more`: words behind `!irc link <server> <channel>`, such as `puppets eager`; `room`: options of
   * its creation.
   */
  scene(
    server: 'rich' | 'bare',
    name: string,
    more: string,
    room?: (alice: MatrixPerson) => object,
  ): Promise<Scene>
}

async function createScene(
  world: World,
  server: 'rich' | 'bare',
  name: string,
  more: string,
  room?: (alice: MatrixPerson) => object,
): Promise<Scene> {
  const channel = `#${name}`
  await using undo = new AsyncDisposableStack()
  const alice = undo.use(await world.person('alice'))
  const bob = undo.use(await world.ircPerson(server, `bob${name.slice(0, 12)}`))
  await bob.join(channel)
  const roomId = await linkedRoom(alice, world.botId, `${server} ${channel} ${more}`, room?.(alice))
  const kept = undo.move()
  return {
    ...{ alice, bob, roomId, channel },
    bobReads: (text) =>
      bob.waitFor('message', (data) => data['target'] === channel && data['message'] === text),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** Journeys that are made on each of the homeservers, or the named one. */
export function describeJourneys(
  title: string,
  options: WorldOptions & { readonly only?: string },
  define: (stage: Stage) => void,
): void {
  for (const host of HOSTS.filter(({ name }) => options.only === undefined || name === options.only)) {
    void describe(`${title} on ${host.name}`, () => {
      let world: World | undefined
      let skip: string | undefined
      before(async () => {
        const started = await startWorld(host, options)
        if ('skip' in started) skip = started.skip
        else world = started
      })
      after(() => world?.[Symbol.asyncDispose]())
      define({
        host,
        get world() {
          if (world === undefined) throw new Error('the world has not been started')
          return world
        },
        journey: (name, run) =>
          void test(name, async (t) => {
            if (skip !== undefined) return t.skip(skip)
            try {
              await run()
            } catch (error) {
              t.diagnostic(hubLog.slice(-15).join('\n').slice(-4000))
              throw error
            }
          }),
        scene(server, name, more, room) {
          return createScene(this.world, server, name, more, room)
        },
      })
    })
  }
}
