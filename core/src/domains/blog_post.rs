//! A post: written once, published once, its title changed as often as its author likes.

use super::prelude::*;
use crate::text::Label;

/// What a post can be asked to do.
#[derive(Debug, Described)]
#[described(rename_all_fields = "camelCase", closed)]
pub enum BlogPostCommand {
    /// Write a new post; the actor becomes its author.
    Create {
        /// What the post is called.
        title: Label,
    },
    /// Make the post public.
    Publish {},
    /// Give the post another title.
    ChangeTitle {
        /// What the post is called from now on.
        title: Label,
    },
}

/// What can have happened to a post.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all_fields = "camelCase")]
pub enum BlogPostEvent {
    /// The post was written.
    #[described(command = "Create")]
    BlogPostCreated {
        /// What the post is called.
        title: Label,
    },
    /// The post became public.
    #[described(command = "Publish")]
    BlogPostPublished {},
    /// The post got another title.
    #[described(command = "ChangeTitle")]
    BlogPostTitleChanged {
        /// What the post is called from now on.
        title: Label,
    },
}

/// A post.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all = "camelCase")]
pub struct Post {
    /// The actor who wrote it.
    pub author_id: Label,
    /// What it is called.
    pub title: Label,
    /// True once it was published; absent before.
    pub is_public: Option<bool>,
}

/// The aggregate `BlogPost`.
#[derive(Debug, Clone)]
pub struct BlogPost;

impl Aggregate for BlogPost {
    const NAME: &'static str = "BlogPost";
    const FINGERPRINT: u64 = fingerprint(&[include_bytes!("blog_post.rs"), include_bytes!("../text.rs")]);
    type Command = BlogPostCommand;
    type Event = BlogPostEvent;
    type State = Post;

    fn decide(
        post: Option<&Post>,
        command: BlogPostCommand,
        _: Context<'_>,
    ) -> Result<Vec<BlogPostEvent>, Rejection> {
        use BlogPostCommand::*;
        use BlogPostEvent::*;
        let event = match (post, command) {
            (None, Create { title }) => BlogPostCreated { title },
            (Some(_), Create { .. }) => return Err(Rejection::already_exists()),
            (None, _) => return Err(Rejection::not_found()),
            (Some(Post { is_public: Some(true), .. }), Publish {}) => {
                return Err(Rejection::new("already-published", "A post is published once."));
            }
            (Some(_), Publish {}) => BlogPostPublished {},
            (Some(_), ChangeTitle { title }) => BlogPostTitleChanged { title },
        };
        Ok(vec![event])
    }

    #[inline]
    fn evolve(post: Option<Post>, event: &BlogPostEvent, of: Context<'_>) -> Result<Post, Problem> {
        use BlogPostEvent::*;
        Ok(match (post, event) {
            (None, BlogPostCreated { title }) => {
                Post { author_id: of.actor.into(), title: title.clone(), is_public: None }
            }
            (Some(_), BlogPostCreated { .. }) => return Err(Problem::AlreadyCreated),
            (None, _) => return Err(Problem::NotCreated),
            (Some(post), BlogPostPublished {}) => Post { is_public: Some(true), ..post },
            (Some(post), BlogPostTitleChanged { title }) => Post { title: title.clone(), ..post },
        })
    }
}
