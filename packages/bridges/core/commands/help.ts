import type { RunCommand } from './reply.ts'

/** What can be said to the bot. */
export const help: RunCommand = async (hub, { network }) => {
  const servers = [...(hub.networks.get(network)?.servers.keys() ?? [])].join(', ')
  return [
    `!${network} link <server> <#channel> [relay|puppets] [lazy|eager]: connects this room with a channel, once its people agree`,
    `!${network} unlink [<server>] [<#channel>] [keep-ghosts]: ends it`,
    `!${network} status: how it is doing`,
    `!${network} nick [<server>] <nick>: how you are called there`,
    `!${network} identify <server> <account> <password>: your account there (in a room with nobody but me; the message is removed)`,
    `Servers: ${servers}`,
  ].join('\n')
}
