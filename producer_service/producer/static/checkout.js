// The checkout page: puts its parts together.

import { orderForm } from "./order_form.js";
import { randomOrders } from "./random_orders.js";
import { RecentOrders } from "./recent_orders.js";
import { ShopState } from "./shop_state.js";

const part = (id) => document.getElementById(id);

const state = new ShopState(part("recent-state"), part("recent-word"));
const recent = new RecentOrders(part("recent"), part("recent-empty"), state);
orderForm(part("order"), part("result"), () => recent.poll.now());
randomOrders(part("random"), () => recent.poll.now());
