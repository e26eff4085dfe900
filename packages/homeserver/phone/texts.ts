import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'

/** What a text message is about. */
export interface TextFacts {
  readonly code: string
  readonly purpose: AddressPurpose
  /** Whose account it is about; empty for one that is still to be made. */
  readonly userId: string
}

function reasonOf(serverName: string, { purpose, userId }: TextFacts): string {
  if (purpose === 'register') return `to make an account on the Matrix server ${serverName}`
  if (purpose === 'reset') return `to set a new password for ${userId}`
  return `to add this number to ${userId === '' ? `an account on ${serverName}` : userId}`
}

/** The code first: phones offer to fill it in, and show it without being unlocked. */
export function codeText(serverName: string, facts: TextFacts): string {
  return `${facts.code} is your code ${reasonOf(serverName, facts)}. It is good for half an hour. Give it to nobody.`
}

/** For somebody whose number belongs to an account already: only they learn it. */
export function hasAccountText(serverName: string, userId: string): string {
  return `This number belongs to ${userId} on the Matrix server ${serverName} already: log in with that. If it was not you, do nothing.`
}
