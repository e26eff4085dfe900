import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { BridgesConfig, IrcServerConfig } from '../../config.ts'
import type { IrcServerOptions } from './server-options.ts'

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function readSasl(name: string, config: IrcServerConfig): IrcServerOptions['sasl'] {
  const { sasl_account: account, sasl_password: password, tls, host } = config
  if (account === undefined && password === undefined) return undefined
  if (account === undefined || password === undefined)
    throw new Error(`bridges.irc.servers.${name}: sasl_account and sasl_password go together`)
  if (!tls && !isLocal(host))
    throw new Error(`bridges.irc.servers.${name}: a password is sent over TLS only; set tls: true`)
  return { mechanism: 'PLAIN', account, password, required: true }
}

function readServer(name: string, config: IrcServerConfig): IrcServerOptions {
  const { host, port, limits, tls_ca: ca, password, display_name: displayName } = config
  const tls = config.tls
    ? { verify: true, ...(ca === undefined ? {} : { ca: readFileSync(ca, 'utf8') }) }
    : undefined
  return {
    name,
    displayName: displayName === '' ? name : displayName,
    dial: { host, port, tls, password },
    ...{
      nick: config.nick,
      username: config.username,
      realname: config.realname,
      sasl: readSasl(name, config),
    },
    userModes: config.user_modes === '' ? undefined : config.user_modes,
    channels: config.channels,
    defaults: { mode: config.mode, membership: config.membership },
    ...{ consent: config.consent, maxLinks: limits.links, absenceMs: config.absence },
    puppets: {
      max: limits.connections,
      suffix: config.nick_suffix,
      idleMs: config.close_idle_after,
      patienceMs: 20_000,
    },
    flood: { burst: limits.burst, perSecond: limits.per_second, queueLimit: 500 },
    ...{ maxLines: limits.lines, colors: config.colors, monospace: config.monospace },
    ...{ tellsReactions: config.reactions_as_text, setsTopics: config.topics_to_irc },
  }
}

/** The IRC networks of a configuration. @throws Error with a sentence for the operator */
export function readIrcServers({ irc }: Pick<BridgesConfig, 'irc'>): IrcServerOptions[] {
  return Object.entries(irc.servers).map(([name, config]) => readServer(name, config))
}
