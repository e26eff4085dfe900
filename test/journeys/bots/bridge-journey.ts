import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { testRegistration } from '@causeway/homeserver/appservice/test-appservice.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { registerUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import type { BridgeArguments, Line } from './bridge-program.ts'
import { findMessage } from '../sdk-talk.ts'

/** Two busy cores, and four programs. */
const TIMEOUT_MS = 90_000

/** The other side of the bridge: what it was told, over all runs of the program. */
class Network {
  readonly lines: Line[] = []
  #child: ChildProcess | undefined

  async start(program: BridgeArguments): Promise<void> {
    const file = path.join(import.meta.dirname, 'bridge-program.ts')
    const child = fork(file, [JSON.stringify(program)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child = child
    const ready = Promise.withResolvers<void>()
    child.on('exit', (code, signal) => ready.reject(new Error(`the bridge ended with ${code ?? signal}`)))
    child.on('message', (message: 'ready' | Line) => {
      if (message === 'ready') ready.resolve()
      else this.lines.push(message)
    })
    await ready.promise
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  say(line: Line): void {
    this.#child!.send(line)
  }

  texts(): string[] {
    return this.lines.map(({ text }) => text)
  }

  /** Resolves when a text has come; rejects when the bridge has ended, or after a long time. */
  async heard(text: string): Promise<Line> {
    const stop = AbortSignal.timeout(TIMEOUT_MS)
    const child = this.#child!
    for (;;) {
      const line = this.lines.find((one) => one.text === text)
      if (line !== undefined) return line
      const ended = once(child, 'exit', { signal: stop }).then(() =>
        Promise.reject(new Error('the bridge ended')),
      )
      await Promise.race([once(child, 'message', { signal: stop }), ended])
    }
  }
}

async function hear(alice: SdkClient, roomId: string, text: string): Promise<string | undefined> {
  return (await alice.until(text, () => findMessage(alice, roomId, text))).getSender()
}

/** A bridge on matrix-appservice-bridge, Alice on its one side and a network on the other. @param packages the folder in which the library is */
export async function crossBridge(packages: string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bridge-'))
  const network = new Network()
  try {
    const port = await freePort()
    const file = path.join(folder, 'registration.json')
    await writeFile(file, JSON.stringify(testRegistration('bridge', `http://127.0.0.1:${port}`)))
    await using server = await startCauseway({ extra: `appservices: [${JSON.stringify(file)}]` })
    const { url, serverName: domain } = server
    const program = { packages, folder, homeserverUrl: url, domain, port }
    await network.start(program)
    const aliceUser = await registerUser(url, 'alice')
    await using alice = await startSdkClient(url, aliceUser)

    const { roomId } = await alice.client.joinRoom(`#_bridge_maps:${domain}`)
    await alice.client.sendTextMessage(roomId, 'is anybody there?')
    const line = { channel: 'maps', nick: aliceUser.userId, text: 'is anybody there?' }
    assert.deepEqual(await network.heard('is anybody there?'), line)
    network.say({ channel: 'maps', nick: 'bob', text: 'I am' })
    assert.equal(await hear(alice, roomId, 'I am'), `@_bridge_bob:${domain}`)

    await alice.client.invite(roomId, `@_bridge_carol:${domain}`)
    const carol = () => alice.client.getRoom(roomId)?.getMember(`@_bridge_carol:${domain}`)?.membership
    await alice.until('carol', () => carol() === 'join')

    await network.kill()
    const said = ['one', 'two', 'three']
    for (const text of said) await alice.client.sendTextMessage(roomId, text)
    await server.kill()
    await server.start()
    await network.start(program)
    await network.heard('three')
    network.say({ channel: 'maps', nick: 'bob', text: 'three of them' })
    assert.equal(await hear(alice, roomId, 'three of them'), `@_bridge_bob:${domain}`)
    await alice.client.sendTextMessage(roomId, 'all')
    await network.heard('all')
    assert.deepEqual(network.texts(), ['is anybody there?', ...said, 'all'])
  } finally {
    await network.kill()
    await rm(folder, { recursive: true, force: true })
  }
}
