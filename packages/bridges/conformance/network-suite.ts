import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Network, Portal, RemoteCommand, RemoteEvent, Speaker } from '../core/network.ts'
import { toPlain } from '../formatting/to-plain.ts'
import { docFromText } from '../formatting/tree.ts'

/** Somebody of the network who is not ours, in one channel. */
export interface NetworkPerson extends AsyncDisposable {
  readonly name: string
  say(text: string): void
  /** What others said there, in order, without who did. */
  heard(): readonly string[]
  /** Resolves once that was heard. */
  hear(text: string): Promise<void>
}

export interface NetworkTarget extends AsyncDisposable {
  readonly network: Network
  readonly server: string
  /** Whether messages have ids there. */
  readonly givesIds: boolean
  /** A person who entered a channel; the first there decides for it. */
  enter(channel: string, name: string): Promise<NetworkPerson>
}

/** What a hub would hear. */
interface Heard {
  readonly events: (readonly [Portal, RemoteEvent])[]
  readonly commands: RemoteCommand[]
  /** Resolves once something fits. */
  until<T>(find: () => T | undefined, what: string): Promise<T>
}

function listen(network: Network): Heard {
  const events: (readonly [Portal, RemoteEvent])[] = []
  const commands: RemoteCommand[] = []
  const waiting = new Set<() => void>()
  const changed = (): void => {
    for (const check of waiting) check()
  }
  network.start({
    receive: (portal, event) => {
      events.push([portal, event])
      changed()
    },
    command: (_portal, command) => {
      commands.push(command)
      changed()
    },
    lost: () => undefined,
  })
  return {
    events,
    commands,
    until: (find, what) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = find()
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(check)
          resolve(found)
        }
        const timer = setTimeout(() => {
          waiting.delete(check)
          reject(new Error(`${what} did not come; heard: ${JSON.stringify(events.slice(-5))}`))
        }, 90_000)
        waiting.add(check)
        check()
      }),
  }
}

const RELAY = { mode: 'relay', membership: 'lazy' } as const
const PUPPETS = { mode: 'puppets', membership: 'lazy' } as const
const ALICE: Speaker = { userId: '@alice:example.org', displayName: 'Alice', isGhost: false }
const noPaste = async (): Promise<undefined> => undefined

interface Scene {
  readonly heard: Heard
  portal(channel: string): Portal
  open(portal: Portal): Promise<boolean>
  /** Somebody's way to speak, once there is one. */
  speak(
    portal: Portal,
    speaker: Speaker | undefined,
    mode: typeof RELAY | typeof PUPPETS,
  ): Promise<Connection>
}

function setScene({ network, server }: NetworkTarget): Scene {
  const heard = listen(network)
  let count = 0
  const patiently = async <T>(attempt: () => Promise<T | undefined>): Promise<T> => {
    for (let tries = 0; tries < 1800; tries++) {
      const result = await attempt()
      if (result !== undefined) return result
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error('the network was never ready')
  }
  return {
    heard,
    portal: (text) => {
      const parsed = network.parseChannel(server, text)
      if ('refusal' in parsed) throw new Error(parsed.refusal)
      return { nid: ++count, network: network.name, server, ...parsed }
    },
    open: (portal) =>
      patiently(async () => {
        const opened = await network.open(portal, RELAY)
        if (opened.kind === 'refused') throw new Error(opened.reason)
        return opened.kind === 'open' ? opened.isDeserted : undefined
      }),
    speak: (portal, speaker, mode) =>
      patiently(async () => {
        const found = await network.connect(portal, speaker, mode)
        if (found.kind === 'refused') throw new Error(found.reason)
        return found.kind === 'ready' ? found.connection : undefined
      }),
  }
}

async function sayAll(connection: Connection, text: string): Promise<string[]> {
  const ids: string[] = []
  const message = { kind: 'text', doc: docFromText(text) } as const
  for (const part of await connection.render(message, noPaste)) {
    // As the hub does: a part goes through the database before it is sent.
    const outcome = await connection.send(JSON.parse(JSON.stringify(part)) as string)
    assert.equal(outcome.kind, 'sent', JSON.stringify(outcome))
    if (outcome.kind === 'sent') ids.push(outcome.remoteId)
  }
  return ids
}

const saidBy = (heard: Heard, name: string): string[] =>
  heard.events.flatMap(([, event]) =>
    event.type === 'message' && event.author.name === name ? [toPlain(event.doc)] : [],
  )

/** What every network has to do for the hub. Each test starts one anew. */
export function testNetwork(
  name: string,
  create: () => Promise<NetworkTarget>,
  skip: string | false = false,
): void {
  const scenario = (title: string, run: (target: NetworkTarget, scene: Scene) => Promise<void>): void => {
    test(`${name}: ${title}`, { skip }, async () => {
      await using target = await create()
      const scene = setScene(target)
      try {
        await run(target, scene)
      } finally {
        await target.network.stop()
      }
    })
  }

  scenario(
    'what is said arrives once, with an id where there are ids, and is not heard back',
    async (target, scene) => {
      const bob = await target.enter('#one', 'bob')
      const portal = scene.portal('#one')
      assert.equal(await scene.open(portal), false)
      for (const mode of [RELAY, PUPPETS]) {
        const connection = await scene.speak(portal, ALICE, mode)
        const ids = await sayAll(connection, `hello by ${mode.mode}`)
        assert.equal(ids.length, 1)
        assert.equal(ids[0] !== '', target.givesIds)
        await bob.hear(`hello by ${mode.mode}`)
      }
      bob.say('a question')
      await scene.heard.until(() => saidBy(scene.heard, 'bob')[0], 'the question')
      assert.deepEqual(saidBy(scene.heard, 'bob'), ['a question'])
      const others = scene.heard.events.filter(
        ([, event]) => event.type === 'message' && event.author.name !== 'bob',
      )
      assert.deepEqual(others, [])
      assert.equal(bob.heard().filter((text) => text.includes('hello')).length, 2)
      await bob[Symbol.asyncDispose]()
    },
  )

  scenario('order is kept, in both directions at once', async (target, scene) => {
    const bob = await target.enter('#order', 'bob')
    const portal = scene.portal('#order')
    await scene.open(portal)
    const connection = await scene.speak(portal, undefined, RELAY)
    for (let n = 0; n < 30; n++) {
      bob.say(`b ${n}`)
      await sayAll(connection, `a ${n}`)
    }
    await bob.hear('a 29')
    await scene.heard.until(() => saidBy(scene.heard, 'bob')[29], 'the last')
    const expected = (letter: string): string[] => Array.from({ length: 30 }, (_, n) => `${letter} ${n}`)
    assert.deepEqual(saidBy(scene.heard, 'bob'), expected('b'))
    assert.deepEqual(
      bob.heard().filter((text) => text.startsWith('a ')),
      expected('a'),
    )
    await bob[Symbol.asyncDispose]()
  })

  scenario(
    'words to the bridge are commands, and who decides for the channel is known',
    async (target, scene) => {
      const first = await target.enter('#ask', 'opbob')
      const second = await target.enter('#ask', 'carol')
      const portal = scene.portal('#ask')
      await scene.open(portal)
      second.say('!bridge accept')
      await scene.heard.until(() => scene.heard.commands[0], 'the first command')
      first.say('!unbridge')
      await scene.heard.until(() => scene.heard.commands[1], 'the second command')
      assert.deepEqual(
        scene.heard.commands.map(({ author, isModerator, words }) => [author.name, isModerator, words]),
        [
          ['carol', false, ['accept']],
          ['opbob', true, ['unbridge']],
        ],
      )
      assert.deepEqual(saidBy(scene.heard, 'carol'), [])
      await Promise.all([first[Symbol.asyncDispose](), second[Symbol.asyncDispose]()])
    },
  )

  scenario(
    'nothing is nothing, a channel nobody is in is told as such, and what is left is not heard',
    async (target, scene) => {
      const portal = scene.portal('#quiet')
      assert.equal(await scene.open(portal), true)
      const connection = await scene.speak(portal, undefined, RELAY)
      assert.deepEqual(await connection.render({ kind: 'text', doc: { blocks: [] } }, noPaste), [])
      assert.ok('refusal' in target.network.parseChannel(target.server, 'not a channel'))
      const bob = await target.enter('#quiet', 'bob')
      await target.network.close(portal, 'enough')
      const other = scene.portal('#other')
      const carol = await target.enter('#other', 'carol')
      await scene.open(other)
      bob.say('are you gone?')
      carol.say('here')
      await scene.heard.until(() => saidBy(scene.heard, 'carol')[0], 'carol')
      assert.deepEqual(saidBy(scene.heard, 'bob'), [])
      await Promise.all([bob[Symbol.asyncDispose](), carol[Symbol.asyncDispose]()])
    },
  )
}
