import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'
import type { Mail } from './mailer.ts'

/** What a mail is about. */
export interface MailFacts {
  readonly address: string
  readonly purpose: AddressPurpose
  readonly link: string
  /** Whose account it is about; empty for one that is still to be made. */
  readonly userId: string
}

const SUBJECTS: Readonly<Record<AddressPurpose, string>> = {
  register: 'Confirm your address for',
  add: 'Confirm your address for',
  reset: 'Set a new password on',
}

function reasonOf(serverName: string, { purpose, userId }: MailFacts): string {
  if (purpose === 'register')
    return `Somebody, probably you, is making an account on the Matrix server ${serverName} with this address.`
  if (purpose === 'add')
    return `${userId === '' ? 'Somebody, probably you,' : userId} wants to add this address to an account on the Matrix server ${serverName}.`
  return `Somebody, probably you, wants to set a new password for ${userId} on the Matrix server ${serverName}.`
}

/** The mail with the link. Lines are short and plain: what is read aloud, or in a terminal, is all there is. */
export function confirmMail(serverName: string, facts: MailFacts): Mail {
  return {
    to: facts.address,
    subject: `${SUBJECTS[facts.purpose]} ${serverName}`,
    text: `${reasonOf(serverName, facts)}

If that was you, open this link and press the button there:

${facts.link}

The link is good for two hours. If it was not you, do nothing: nothing changes
then. Give the link to nobody.
`,
  }
}

/** For somebody whose address belongs to an account already: only they learn it. */
export function haveAccountMail(serverName: string, address: string, userId: string): Mail {
  return {
    to: address,
    subject: `You have an account on ${serverName}`,
    text: `Somebody, probably you, wanted to use this address for an account on the
Matrix server ${serverName}. It belongs to one already: ${userId}

Log in with that. If you do not know the password any more, choose "Forgot
password" in your Matrix client. If it was not you, do nothing.
`,
  }
}
