// A bridge on matrix-appservice-bridge to a network of one parent process: what is said in a room goes there as a message
// of this process, and what comes from there is said by a ghost. Which room is which channel is in the bridge's own store.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import path from 'node:path'
import { types } from 'node:util'
import { requireFrom } from '@causeway/testkit/node-packages.ts'

/** Something said, on its way in or out. */
export interface Line {
  readonly channel: string
  readonly nick: string
  readonly text: string
}

export interface BridgeArguments {
  /** Where the packages are. */
  readonly packages: string
  /** Where it keeps its stores, and its registration. */
  readonly folder: string
  readonly homeserverUrl: string
  readonly domain: string
  readonly port: number
}

interface RemoteRoom {
  getId(): string
}
interface Intent {
  sendText(roomId: string, text: string): Promise<unknown>
  join(roomId: string): Promise<unknown>
}
interface RoomStore {
  getLinkedRemoteRooms(matrixId: string): Promise<readonly RemoteRoom[]>
  getLinkedMatrixRooms(remoteId: string): Promise<readonly { getId(): string }[]>
}
interface Bridge {
  getIntentFromLocalpart(localpart: string): Intent
  getIntent(userId: string): Intent
  getRoomStore(): RoomStore
  run(port: number, appservice: undefined, host: string): Promise<void>
}
interface MatrixEvent {
  readonly type: string
  readonly room_id: string
  readonly sender: string
  readonly state_key?: string
  readonly content: Readonly<Record<string, unknown>>
}
interface Library {
  readonly Bridge: new (options: object) => Bridge
  readonly RemoteRoom: new (id: string) => RemoteRoom
}

const GHOST = '_bridge_'

/** What Node had until 22, and the database of the bridge's stores calls. */
function restoreUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>
  util['isArray'] ??= Array.isArray
  util['isDate'] ??= types.isDate
  util['isRegExp'] ??= types.isRegExp
}

async function relay(bridge: Bridge, event: MatrixEvent): Promise<void> {
  const { type, room_id: roomId, sender, state_key: target, content } = event
  if (type === 'm.room.member' && content['membership'] === 'invite' && target?.startsWith(`@${GHOST}`)) {
    await bridge.getIntent(target).join(roomId)
  }
  if (type !== 'm.room.message') return
  for (const remote of await bridge.getRoomStore().getLinkedRemoteRooms(roomId)) {
    process.send!({ channel: remote.getId(), nick: sender, text: String(content['body']) } satisfies Line)
  }
}

async function main({ packages, folder, homeserverUrl, domain, port }: BridgeArguments): Promise<void> {
  restoreUtil()
  const library = requireFrom<Library>(packages, 'matrix-appservice-bridge')
  const bridge = new library.Bridge({
    homeserverUrl,
    domain,
    registration: path.join(folder, 'registration.json'),
    roomStore: path.join(folder, 'rooms.db'),
    userStore: path.join(folder, 'users.db'),
    userActivityStore: path.join(folder, 'activity.db'),
    controller: {
      // Whoever is asked for exists.
      onUserQuery: () => ({}),
      onAliasQuery: (_alias: string, localpart: string) => {
        const channel = localpart.slice(GHOST.length)
        const creationOpts = {
          room_alias_name: localpart,
          name: channel,
          preset: 'public_chat',
          power_level_content_override: { invite: 0 },
        }
        return { creationOpts, remote: new library.RemoteRoom(channel) }
      },
      onEvent: (request: { getData(): MatrixEvent }) => relay(bridge, request.getData()),
    },
  })
  process.on('message', ({ channel, nick, text }: Line) => {
    void (async () => {
      const [room] = await bridge.getRoomStore().getLinkedMatrixRooms(channel)
      assert.ok(room !== undefined, `nobody has asked for ${channel} yet`)
      await bridge.getIntentFromLocalpart(GHOST + nick).sendText(room.getId(), text)
    })()
  })
  process.on('disconnect', () => process.exit())
  await bridge.run(port, undefined, '127.0.0.1')
  process.send!('ready')
}

if (import.meta.main) await main(JSON.parse(process.argv[2]!) as BridgeArguments)
