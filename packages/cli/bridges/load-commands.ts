import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { HubContext } from '@causeway/bridges/core/hub-context.ts'
import type { AnyAdminCommand } from '@causeway/homeserver/admin/command.ts'
import { loadAdminCommands } from '@causeway/homeserver/admin/load-commands.ts'
import type { AnyBridgeCommand } from './command.ts'

const COMMANDS: ReadonlyMap<string, () => Promise<AnyBridgeCommand>> = new Map<
  string,
  () => Promise<AnyBridgeCommand>
>([
  ['bridge-link', async () => (await import('./commands/bridge-link.ts')).command],
  ['bridge-list', async () => (await import('./commands/bridge-list.ts')).command],
  ['bridge-status', async () => (await import('./commands/bridge-status.ts')).command],
  ['bridge-unlink', async () => (await import('./commands/bridge-unlink.ts')).command],
])

function bind(command: AnyBridgeCommand, findHub: () => HubContext | undefined): AnyAdminCommand {
  const { usage, summary, input, run } = command
  return {
    ...{ usage, summary, input },
    run: async (_hs, values) => {
      const hub = findHub()
      if (hub === undefined) {
        throw notFound('No bridges run here: name a server under bridges.irc.servers, or see the log')
      }
      return run(hub, values)
    },
  }
}

/**
 * The administrative commands of all packages, by name. `findHub` answers the running hub when a command is carried
 * out; who only reads arguments or prints help needs none.
 */
export async function loadAllCommands(
  findHub: () => HubContext | undefined = () => undefined,
): Promise<ReadonlyMap<string, AnyAdminCommand>> {
  const commands = new Map(await loadAdminCommands())
  for (const [name, load] of COMMANDS) commands.set(name, bind(await load(), findHub))
  return new Map([...commands].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
