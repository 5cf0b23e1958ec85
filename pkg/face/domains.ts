// The commands, events and states of the compiled domains, from their schemas. Do not edit: what writes this file
// is pkg/tests/types.rs, with REWOUND_WRITE=1.

import type { Envelope } from "./aggregate.js";

/** An account. */
export interface BankAccount {
  /** Whose account it is. */
  accountHolderId: string;
  /** The money that is there; what is pending has left it. In cents. */
  balance: number;
  /** What its money is counted in. */
  currency: string;
  /** Whether it can still be used. */
  status: "Active" | "Closed";
  /** The transfers that have left and neither arrived nor come back, by their id. */
  pendingTransfers: Record<string, {
    /** The account that it goes to. */
    destinationAccountId: string;
    /** How much it is. In cents. */
    amount: number;
  }>;
}

export type BankAccountCommand =
  /** Open a new account. */
  | {
      type: "Open";
      /** Whose account it is. */
      accountHolderId: string;
      /** What its money is counted in. */
      currency: string;
      /** The money that is there from the start. In cents. 0 where it is absent. */
      initialDeposit?: number;
    }
  /** Put money in. */
  | {
      type: "Deposit";
      /** How much. In cents. */
      amount: number;
      /** What the payment refers to, such as an invoice. */
      transactionReference: string;
      /** What the statement says. "Deposit" where it is absent. */
      description?: string;
    }
  /** Take money out. */
  | {
      type: "Withdraw";
      /** How much. In cents. */
      amount: number;
      /** What the payment refers to, such as an invoice. */
      transactionReference: string;
      /** What the statement says. "Withdrawal" where it is absent. */
      description?: string;
    }
  /** Close the account for good. */
  | {
      type: "Close";
      /** Why. */
      reason: string;
      /** Who closed it; the actor where nobody is named. */
      closedBy?: string;
    }
  /** Send money to another account. */
  | {
      type: "InitiateTransfer";
      /** The transfer's own id, new for each. */
      transferId: string;
      /** The account that the money goes to. */
      destinationAccountId: string;
      /** How much. In cents. */
      amount: number;
    }
  /** Take in the money of a transfer (the saga's second step). */
  | {
      type: "ReceiveTransfer";
      /** The transfer's id. */
      transferId: string;
      /** The account that the money comes from. */
      sourceAccountId: string;
      /** How much. In cents. */
      amount: number;
      /** What the money is counted in: the account's own currency. */
      currency: string;
    }
  /** Settle a transfer that has arrived (the saga's last step). */
  | {
      type: "CompleteTransfer";
      /** The transfer's id. */
      transferId: string;
    }
  /** Take a transfer back that could not arrive (the saga's other last step). */
  | {
      type: "ReverseTransfer";
      /** The transfer's id. */
      transferId: string;
      /** How much comes back: all of it. In cents. */
      amount: number;
      /** Why it could not arrive. */
      reason: string;
    };

export type BankAccountEvent =
  /** The account was opened. */
  | (Envelope & {
      eventName: "AccountOpened";
      /** Whose account it is. */
      accountHolderId: string;
      /** The money that is there from the start. In cents. */
      initialDeposit: number;
      /** What its money is counted in. */
      currency: string;
    })
  /** Money was put in. */
  | (Envelope & {
      eventName: "MoneyDeposited";
      /** How much. In cents. */
      amount: number;
      /** What the payment refers to. */
      transactionReference: string;
      /** What the statement says. */
      description: string;
    })
  /** Money was taken out. */
  | (Envelope & {
      eventName: "MoneyWithdrawn";
      /** How much. In cents. */
      amount: number;
      /** What the payment refers to. */
      transactionReference: string;
      /** What the statement says. */
      description: string;
    })
  /** The account was closed. */
  | (Envelope & {
      eventName: "AccountClosed";
      /** Why. */
      reason: string;
      /** Who closed it. */
      closedBy: string;
    })
  /** Money left for another account, and is pending. */
  | (Envelope & {
      eventName: "TransferInitiated";
      /** The transfer's id. */
      transferId: string;
      /** The account that the money goes to. */
      destinationAccountId: string;
      /** How much. In cents. */
      amount: number;
    })
  /** Money came from another account. */
  | (Envelope & {
      eventName: "TransferReceived";
      /** The transfer's id. */
      transferId: string;
      /** The account that the money came from. */
      sourceAccountId: string;
      /** How much. In cents. */
      amount: number;
      /** What it is counted in. */
      currency: string;
    })
  /** A pending transfer arrived. */
  | (Envelope & {
      eventName: "TransferCompleted";
      /** The transfer's id. */
      transferId: string;
    })
  /** A pending transfer could not arrive, and its money came back. */
  | (Envelope & {
      eventName: "TransferReversed";
      /** The transfer's id. */
      transferId: string;
      /** How much came back. In cents. */
      amount: number;
      /** Why it could not arrive. */
      reason: string;
    });

/** An order. */
export interface Order {
  /** Who orders. */
  customerId: string;
  /** What is ordered. */
  items: {
    /** What is ordered. */
    productId: string;
    /** How many. */
    quantity: number;
    /** The price of one. In cents. */
    price: number;
  }[];
  /** The sum of every item's price times its quantity. In cents. */
  totalAmount: number;
  /** Whether it was accepted. */
  status: "pending" | "confirmed";
}

export type OrderCommand =
  /** Place a new order. */
  | {
      type: "Create";
      /** Who orders. */
      customerId: string;
      /** What is ordered: one item at least. */
      items: {
        /** What is ordered. */
        productId: string;
        /** How many. */
        quantity: number;
        /** The price of one. In cents. */
        price: number;
      }[];
    }
  /** Order one thing more. */
  | {
      type: "AddItem";
      /** What is ordered. */
      productId: string;
      /** How many. */
      quantity: number;
      /** The price of one. In cents. */
      price: number;
    }
  /** Accept the order as it is: nothing is added any more. */
  | { type: "Confirm" };

export type OrderEvent =
  /** The order was placed. */
  | (Envelope & {
      eventName: "OrderCreated";
      /** Who orders. */
      customerId: string;
      /** What is ordered. */
      items: {
        /** What is ordered. */
        productId: string;
        /** How many. */
        quantity: number;
        /** The price of one. In cents. */
        price: number;
      }[];
    })
  /** One thing more was ordered. */
  | (Envelope & {
      eventName: "OrderItemAdded";
      /** What is ordered. */
      productId: string;
      /** How many. */
      quantity: number;
      /** The price of one. In cents. */
      price: number;
    })
  /** The order was accepted. */
  | (Envelope & { eventName: "OrderConfirmed" });

/** A customer. */
export interface Customer {
  /** Where mail reaches the customer. */
  email: string;
  /** What the customer is called. */
  name: string;
  /** Whether we deal with the customer. */
  status: "ACTIVE" | "SUSPENDED";
  /** Why not; only while suspended. */
  suspensionReason?: string;
}

export type CustomerCommand =
  /** Take in a new customer. */
  | {
      type: "Register";
      /** Where mail reaches the customer. */
      email: string;
      /** What the customer is called. */
      name: string;
    }
  /** Send mail to another address from now on. */
  | {
      type: "UpdateEmail";
      /** The new address. */
      newEmail: string;
    }
  /** Stop dealing with the customer for now. */
  | {
      type: "Suspend";
      /** Why. */
      reason: string;
    }
  /** Deal with the customer again. */
  | { type: "Reactivate" };

export type CustomerEvent =
  /** The customer was taken in. */
  | (Envelope & {
      eventName: "CustomerRegistered";
      /** Where mail reaches the customer. */
      email: string;
      /** What the customer is called. */
      name: string;
    })
  /** The address changed. */
  | (Envelope & {
      eventName: "CustomerEmailUpdated";
      /** The address before. */
      oldEmail: string;
      /** The address from now on. */
      newEmail: string;
    })
  /** The customer was suspended. */
  | (Envelope & {
      eventName: "CustomerSuspended";
      /** Why. */
      reason: string;
    })
  /** The customer is active again. */
  | (Envelope & { eventName: "CustomerReactivated" });

/** A post. */
export interface BlogPost {
  /** The actor who wrote it. */
  authorId: string;
  /** What it is called. */
  title: string;
  /** True once it was published; absent before. */
  isPublic?: boolean;
}

export type BlogPostCommand =
  /** Write a new post; the actor becomes its author. */
  | {
      type: "Create";
      /** What the post is called. */
      title: string;
    }
  /** Make the post public. */
  | { type: "Publish" }
  /** Give the post another title. */
  | {
      type: "ChangeTitle";
      /** What the post is called from now on. */
      title: string;
    };

export type BlogPostEvent =
  /** The post was written. */
  | (Envelope & {
      eventName: "BlogPostCreated";
      /** What the post is called. */
      title: string;
    })
  /** The post became public. */
  | (Envelope & { eventName: "BlogPostPublished" })
  /** The post got another title. */
  | (Envelope & {
      eventName: "BlogPostTitleChanged";
      /** What the post is called from now on. */
      title: string;
    });

/** The compiled domains, by name. */
export interface Domains {
  BankAccount: { state: BankAccount; command: BankAccountCommand; event: BankAccountEvent };
  Order: { state: Order; command: OrderCommand; event: OrderEvent };
  Customer: { state: Customer; command: CustomerCommand; event: CustomerEvent };
  BlogPost: { state: BlogPost; command: BlogPostCommand; event: BlogPostEvent };
}
