import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { addAddressRange } from '../ops/address-range.ts'

/** Says whether an address belongs to a proxy of ours, whose `X-Forwarded-For` may be believed. */
export interface TrustedProxies {
  trusts(address: string): boolean
}

/**
 * `ranges`: addresses, CIDR ranges, or `unix` for what comes over a unix socket. Throws a TypeError for
 * anything else.
 */
export function createTrustedProxies(ranges: readonly string[]): TrustedProxies {
  const list = new BlockList()
  const unix = ranges.includes('unix')
  for (const range of ranges) if (range !== 'unix') addAddressRange(list, range)
  return {
    trusts: (address) => {
      const family = isIP(address)
      if (family === 0) return unix && address === ''
      return list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    },
  }
}

/** `::ffff:192.0.2.1` is 192.0.2.1 on a socket that speaks both families. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/**
 * The address of who asks: the socket's, or behind trusted proxies the last address of `X-Forwarded-For` that
 * is not a trusted proxy itself. Everything left of that one was written by the client and is not believed.
 */
export function clientIp(request: IncomingMessage, proxies: TrustedProxies): string {
  const peer = plainAddress(request.socket.remoteAddress ?? '')
  const header = request.headers['x-forwarded-for']
  if (header === undefined || !proxies.trusts(peer)) return peer
  const hops = String(header).split(',')
  for (let i = hops.length - 1; i >= 0; i -= 1) {
    const hop = plainAddress((hops[i] ?? '').trim())
    if (isIP(hop) === 0) break
    if (i === 0 || !proxies.trusts(hop)) return hop
  }
  return peer
}

/** What the rate limiter counts by: an IPv4 address, or the /64 that one IPv6 household or machine holds. */
export function addressBucket(ip: string): string {
  if (!ip.includes(':')) return ip
  const [head = '', tail] = ip.split('%', 1)[0]!.split('::')
  const left = head === '' ? [] : head.split(':')
  if (tail === undefined) return left.slice(0, 4).join(':')
  const right = tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}
